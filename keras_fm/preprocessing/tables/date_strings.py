"""Dates in strings, read in stock TensorFlow ops: the same in a training and in a served graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from keras_fm.lazy_imports import tf

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY = 86400  # seconds
_TIME_MONTH = "time"  # of a time of day, in the common form

_ZONE = r"(?: ?(?:z|utc|gmt|[+-]\d{2}(?::?\d{2})?))?"
_TIME = rf"\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?(?: ?[ap]m)?{_ZONE}"
_WITH_TIME = rf"(?:(?:t|,? )({_TIME}))?"
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?"
# Each with what makes "@year month day time" of it.
_FORMS = (
    (rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_WITH_TIME}", r"@\1 \2 \3 \4"),
    (rf"(\d{{4}})(\d{{2}})(\d{{2}})(?:\.0)?{_WITH_TIME}", r"@\1 \2 \3 \4"),
    (rf"(\d{{4}})(\d{{2}})(\d{{2}})t(\d{{2}})(\d{{2}})(\d{{2}})({_ZONE})", r"@\1 \2 \3 \4:\5:\6\7"),
    (r"(\d{4})-(\d{2})", r"@\1 \2 1 "),
    (
        rf"{_WEEKDAY}(\d{{1,2}})(?:st|nd|rd|th)?[- .]{{0,2}}{_MONTH}\.?[- ,]{{0,2}}(\d{{4}})"
        rf"{_WITH_TIME}",
        r"@\3 \2 \1 \4",
    ),
    (
        rf"{_WEEKDAY}{_MONTH}\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}}){_WITH_TIME}",
        r"@\3 \1 \2 \4",
    ),
    (rf"{_MONTH}\.?[- ,]{{1,2}}(\d{{4}})", r"@\2 \1 1 "),
    (rf"({_TIME})", rf"@1970 {_TIME_MONTH} 1 \1"),
)
_NUMERIC = rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){_WITH_TIME}"
_COMMON = (
    r"^@(\d{4}) ([a-z]+|\d{1,2}) (\d{1,2}) "
    r"(?:(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?(?: ?([ap]m))?(?: ?(z|utc|gmt|[+-].+))?)?$"
)
_FIELDS = r"\1|\2|\3|\4|\5|\6|\7|\8"
_OFFSET = r"^([+-])(\d{2}):?(\d{2})?$"


class ParsedDates(NamedTuple):
    """Dates and times, each `[rows]`.

    Attributes:
        seconds: Since 1970, float64, in UTC where there is a time zone; of a time of day, since
            midnight.
        is_date: Whether a string is a date.
        is_time: Whether it is a time of day without a date.
        has_zone: Whether a time has a time zone.
    """

    seconds: tf.Tensor
    is_date: tf.Tensor
    is_time: tf.Tensor
    has_zone: tf.Tensor


def parse_dates(strings: tf.Tensor, day_first: bool | None) -> ParsedDates:
    """Parse strings `[rows]`; see `keras_fm.registry.dates.Dates` for what is a date."""
    texts = tf.strings.lower(tf.strings.strip(strings))
    for pattern, rewrite in _forms(day_first):
        texts = tf.strings.regex_replace(texts, f"^(?:{pattern})$", rewrite, replace_global=False)
    has_form = tf.strings.regex_full_match(texts, _COMMON)
    texts = tf.where(has_form, texts, "@1970 1 1 ")
    fields = tf.strings.regex_replace(texts, _COMMON, _FIELDS, replace_global=False)
    table = tf.strings.split(fields, "|").to_tensor("", shape=[None, 8])
    year, month_text, day, hour, minute, second, half, zone = tf.unstack(table, axis=1)
    year, day, hour, minute = map(_integer, (year, day, hour, minute))
    is_time = month_text == _TIME_MONTH
    month, is_month = _month(tf.where(is_time, "1", month_text))
    second = _number(tf.strings.regex_replace(second, ",", "."))
    is_valid = is_month & (year >= 1) & (day >= 1) & (day <= _days_in_month(year, month))
    is_valid &= (minute < 60) & (second < 60) & (hour < 24)
    is_valid &= (half == "") | ((hour >= 1) & (hour <= 12))
    hour = tf.where(half == "", hour, hour % 12 + 12 * tf.cast(half == "pm", tf.int64))
    days = tf.cast(_days_since_1970(year, month, day), tf.float64)
    seconds = days * _DAY + tf.cast(hour * 3600 + minute * 60, tf.float64) + second
    is_valid &= has_form
    return ParsedDates(seconds - _offset(zone), is_valid & ~is_time, is_valid & is_time, zone != "")


def calendar(seconds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Compute the parts of finite times, float64 `[rows]` from 0 to below 1: where in its cycle.

    Args:
        seconds: Since 1970.
    """
    day_number = tf.cast(tf.floor(seconds / _DAY), tf.int64)
    month, day = _month_and_day(day_number)
    parts = {
        "month": (month - 1) / 12,
        "day": (day - 1) / 31,
        "weekday": (day_number + 3) % 7 / 7,  # the first of January 1970 was a Thursday
    }
    return parts | {"hour": seconds / _DAY - tf.cast(day_number, tf.float64)}


def _forms(day_first: bool | None) -> Iterator[tuple[str, str]]:
    yield from _FORMS
    if day_first is not None:
        yield _NUMERIC, r"@\3 \2 \1 \4" if day_first else r"@\3 \1 \2 \4"


def _number(texts: tf.Tensor) -> tf.Tensor:
    """Convert digits to float64, 0 where there are none."""
    return tf.strings.to_number(tf.where(texts == "", "0", texts), tf.float64)


def _integer(texts: tf.Tensor) -> tf.Tensor:
    return tf.cast(_number(texts), tf.int64)


def _month(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return months from 1 to 12, and whether they are there."""
    names = tf.strings.substr(texts, 0, 3)[:, None] == tf.constant(_MONTHS)
    has_name = tf.reduce_any(names, axis=1)
    number = _integer(tf.where(has_name, "", texts))
    month = tf.where(has_name, 1 + tf.argmax(names, axis=1), number)
    return tf.clip_by_value(month, 1, 12), (month >= 1) & (month <= 12)


def _days_in_month(year: tf.Tensor, month: tf.Tensor) -> tf.Tensor:
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = tf.gather(tf.constant(_DAYS_IN_MONTH, tf.int64), month - 1)
    return days + tf.cast(is_leap & (month == 2), tf.int64)


def _days_since_1970(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Count days of the Gregorian calendar: Howard Hinnant's `days_from_civil`."""
    year -= tf.cast(month <= 2, tf.int64)
    era, year_of_era = year // 400, year % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1  # from the first of March on
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


def _month_and_day(day_number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return month and day of days since 1970: his `civil_from_days`."""
    day_of_era = (day_number + 719468) % 146097
    leap_days = day_of_era // 1460 - day_of_era // 36524 + day_of_era // 146096
    year_of_era = (day_of_era - leap_days) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    return (month + 2) % 12 + 1, day


def _offset(zones: tf.Tensor) -> tf.Tensor:
    """Return the seconds that a time zone is ahead of UTC, 0 without one."""
    zones = tf.where(tf.strings.regex_full_match(zones, _OFFSET), zones, "+00:00")
    hours = tf.strings.substr(zones, 1, 2)
    minutes = tf.strings.regex_replace(zones, _OFFSET, r"\3", replace_global=False)
    seconds = _number(hours) * 3600 + _number(minutes) * 60
    return tf.where(tf.strings.substr(zones, 0, 1) == "-", -seconds, seconds)
