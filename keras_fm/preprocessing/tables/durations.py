"""Durations such as "1:23:45", "2h 30min" and "3 days", as seconds, in TensorFlow ops."""

from __future__ import annotations

from keras_fm.lazy_imports import tf

UNIT = "seconds"  # of a column of durations
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_BETWEEN = r"(?: ?,| and)? ?"
# Weeks, days, hours, minutes and seconds, each of which can be left out.
_WORDS = ("w|wks?|weeks?", "d|days?", "h|hrs?|hours?", "m|mins?|minutes?", "s|secs?|seconds?")
_NUM_PARTS = len(_WORDS)
_SECONDS = (604_800, 86_400, 3_600, 60, 1)
_IN_WORDS = r"^([+-]?)" + "".join(
    rf"(?:{_NUMBER} ?(?:{words}){_BETWEEN if index < _NUM_PARTS - 1 else ''})?"
    for index, words in enumerate(_WORDS)
)
_DAYS = r"(?:(\d+) days?,? )?"
# The groups of each pattern are a sign, and the numbers of _SECONDS.
_PATTERNS = (
    rf"(?i){_IN_WORDS}$",
    r"^([+-]?)P(?:(\d+)W)?(?:(\d+)D)?"  # ISO 8601; months and years differ in length
    rf"(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?$",
    rf"^([+-]?)(){_DAYS}(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)$",
    r"^([+-]?)()()()(\d+):([0-5]\d(?:\.\d+)?)$",
)
# One such unit alone may be another one: metres, watts.
_UNSURE = r"^[+-]?[\d.]+ ?[mwMW]?$"


class DurationParser:
    """Parser of a column of durations.

    Two numbers with a colon are minutes and seconds, three are hours, minutes and seconds.

    Args:
        scale: What the seconds are divided by.
    """

    expected = "a duration such as 1:23:45, 2h 30min or 3 days"

    def __init__(self, scale: float | None = None) -> None:
        """Create the parser."""
        self.scale = scale

    def are_read(self, strings: tf.Tensor) -> tf.Tensor:
        """Return whether each of strings `[rows]` is a duration."""
        return ~tf.math.is_nan(self.encode(strings))

    def encode(self, strings: tf.Tensor) -> tf.Tensor:
        """Return numbers, float32 `[rows]`, NaN where there is none."""
        texts = tf.strings.strip(strings)
        seconds = tf.fill(tf.shape(texts), tf.constant(float("nan"), tf.float64))
        for pattern in _PATTERNS:
            matches = tf.strings.regex_full_match(texts, pattern)
            matches &= tf.strings.regex_full_match(texts, r".*\d.*")
            matches &= ~tf.strings.regex_full_match(texts, _UNSURE)
            seconds = tf.where(matches, _seconds(tf.where(matches, texts, ""), pattern), seconds)
        numbers = tf.cast(seconds / (self.scale or 1), tf.float32)
        return tf.where(tf.math.is_finite(numbers), numbers, float("nan"))


def _seconds(texts: tf.Tensor, pattern: str) -> tf.Tensor:
    """Return the seconds of strings `[rows]` that match a pattern, or are empty."""

    def group(number: int) -> tf.Tensor:
        return tf.strings.regex_replace(texts, pattern, rf"\{number}", replace_global=False)

    total = tf.zeros(tf.shape(texts), tf.float64)
    for number, seconds in enumerate(_SECONDS, start=2):
        # A zero in front: a number may be missing, or begin with its point.
        part = tf.strings.join(["0", group(number)])
        total += seconds * tf.strings.to_number(part, tf.float64)
    return tf.where(tf.equal(group(1), "-"), -total, total)
