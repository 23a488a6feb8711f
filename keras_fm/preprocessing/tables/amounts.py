"""Numbers with a currency or percent sign, such as "$1,234.50" and "12 %", in TensorFlow ops."""

from __future__ import annotations

import re

from keras_fm.lazy_imports import tf

PERCENT = "%"
CURRENCIES = (
    *("$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₫"),
    *("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD"),
)
_FLOAT = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# Three digits behind a point may be thousands, as those behind a comma are.
_AMOUNT = r"(\d+|\d{1,3}(?:,\d{3})+)?(\.\d{1,2}|\.\d{4,})?"
_PERCENTAGE = r"(\d+)?(\.\d+)?"


class AmountParser:
    """Parser of a column of numbers with a sign.

    Args:
        unit: The sign, one of `CURRENCIES` or `PERCENT`, before or behind the number; plain numbers
            are read, too. A percentage is the number before the sign.
        scale: What numbers are divided by.
    """

    def __init__(self, unit: str, scale: float | None = None) -> None:
        """Create the parser."""
        self.unit, self.scale = unit, scale
        sign = f"(?i:{re.escape(unit)})"
        number = _PERCENTAGE if unit == PERCENT else _AMOUNT
        before = rf"^([+-]?) ?{sign} ?([+-]?){number}$"
        behind = rf"^([+-]?)(){number}[ \x{{a0}}\x{{202f}}]?{sign}$"
        self._patterns = (before, behind)
        self.expected = (
            "a percentage such as 12.5 % or 12.5"
            if unit == PERCENT
            else f"an amount such as {_with_sign('1,234.50', unit)} or 1234.5"
        )

    def have_sign(self, strings: tf.Tensor) -> tf.Tensor:
        """Return whether each of strings `[rows]` is a number with the sign."""
        strings = tf.strings.strip(strings)
        plain = self._plain(strings)
        return self._are_numbers(plain) & (strings != plain)

    def are_read(self, strings: tf.Tensor) -> tf.Tensor:
        """Return whether each of strings `[rows]` is a number that float32 holds."""
        return ~tf.math.is_nan(self._numbers(strings))

    def encode(self, strings: tf.Tensor) -> tf.Tensor:
        """Return numbers, float32 `[rows]`, NaN where there is none."""
        numbers = self._numbers(strings)
        return numbers if self.scale is None else numbers / self.scale

    def _numbers(self, strings: tf.Tensor) -> tf.Tensor:
        texts = self._plain(tf.strings.strip(strings))
        texts = tf.where(self._are_numbers(texts), texts, "nan")
        numbers = tf.cast(tf.strings.to_number(texts, tf.float64), tf.float32)
        return tf.where(tf.math.is_finite(numbers), numbers, float("nan"))

    def _plain(self, texts: tf.Tensor) -> tf.Tensor:
        """Return strings without the sign, and without commas where they have it."""
        for pattern in self._patterns:
            has_sign = tf.strings.regex_full_match(texts, pattern)
            plain = tf.strings.regex_replace(texts, pattern, r"\1\2\3\4", replace_global=False)
            texts = tf.where(has_sign, tf.strings.regex_replace(plain, ",", ""), texts)
        return texts

    def _are_numbers(self, texts: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_full_match(texts, _FLOAT)


def _with_sign(number: str, unit: str) -> str:
    return f"{unit} {number}" if unit.isalpha() else f"{unit}{number}"
