"""Columns of dates and of times of day: their format, and the parts of them that vary."""

import re
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables.parsed_columns import MIN_SHARE, DistinctStrings, to_strings
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables.date_strings import calendar, parse_dates
from keras_fm.registry.dates import DatePart, Dates
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

_MAX_SAMPLE = 5000  # different strings by which it is found how dates are written
_MIN_NUMBERS = 10  # different ones such as 20240531, for them to be dates
_SHORT_YEAR = re.compile(r"\s*\d{1,2}([-/.])\d{1,2}\1\d{2}(\s.*)?")
_FIRST_NUMBER, _LAST_NUMBER = 19000101, 21001231


def infer_dates(cells: "pd.Series", notes: DataNotes) -> Input | None:
    """Return the input of a column of dates or times; None where it holds others.

    Args:
        cells: Strings, or dates of Python, numpy or pandas; or whole numbers such as 20240531.
        notes: Of the table; what was assumed is added.
    """
    if cells.dtype.kind in "mcb" or (cells.dtype.kind in "iuf" and not _are_compact(cells)):
        return None
    texts = to_strings(cells.dropna())
    if texts.isna().any():
        return None
    column = DistinctStrings.of(texts)
    if not len(column.strings):
        return None
    if not any(_share_of_dates(column, order) >= 0.5 for order in (None, True, False)):
        _warn_short_years(cells.name, column, notes)
        return None
    day_first = _infer_day_first(column)
    parsed = parse_dates(tf.constant(column.strings), day_first)
    has_dates = column.share(parsed.is_date.numpy()) >= column.share(parsed.is_time.numpy())
    is_valid = (parsed.is_date if has_dates else parsed.is_time).numpy()
    share = column.share(is_valid)
    if share < (1 if cells.dtype.kind in "iuf" else MIN_SHARE):
        return None
    seconds = parsed.seconds.numpy()[is_valid]
    parts = _varying_parts(seconds)
    if not parts:
        return None
    has_zone = parsed.has_zone.numpy()[is_valid]
    dates = Dates(
        parts=parts,
        origin=str(np.datetime64(int(seconds.min()), "s").astype("datetime64[D]"))
        if has_dates
        else None,
        day_first=day_first,
        utc=bool(has_zone.any()),
    )
    _warn_assumptions(cells.name, column[is_valid], dates, has_zone, notes)
    return Input(
        name=cells.name,
        dtype="string",
        shape=[],
        description=f"{dates.kind}; in the model: {dates.describe_parts()}",
        dates=dates,
    )


def _warn_short_years(name: str, column: DistinctStrings, notes: DataNotes) -> None:
    """Warn of what may be dates, but in which each of the numbers could be the year."""
    strings = column.strings[:_MAX_SAMPLE]
    if len(strings) >= _MIN_NUMBERS and all(map(_SHORT_YEAR.fullmatch, strings)):
        notes.warn(
            f"column {name!r} holds strings such as {str(strings[0])!r}: if they are dates, write "
            "the years with four digits; those of two digits are not read"
        )


def _are_compact(cells: "pd.Series") -> bool:
    """Return whether numbers can be dates such as 20240531."""
    numbers = cells.dropna()
    return bool(
        numbers.between(_FIRST_NUMBER, _LAST_NUMBER).all() and numbers.nunique() >= _MIN_NUMBERS
    )


def _infer_day_first(column: DistinctStrings) -> bool | None:
    """Return the order of day and month by which most strings are dates; None: they need none."""
    if _share_of_dates(column, None) >= MIN_SHARE:
        return None
    month_first, day_first = (_share_of_dates(column, order) for order in (False, True))
    if month_first == day_first:  # dots say that days are first; else as pandas assumes
        return all("." in string for string in column.strings)
    return day_first > month_first


def _share_of_dates(column: DistinctStrings, day_first: bool | None) -> float:
    """Return the share of dates and times of day among the first different strings."""
    column = column[:_MAX_SAMPLE]
    parsed = parse_dates(tf.constant(column.strings), day_first)
    return column.share((parsed.is_date | parsed.is_time).numpy())


def _varying_parts(seconds: np.ndarray) -> list[DatePart]:
    """Return the parts of which there are several different values."""
    if len(np.unique(seconds)) < 2:
        return []
    cycles = {name: part.numpy() for name, part in calendar(tf.constant(seconds)).items()}
    parts: list[DatePart] = ["elapsed"]
    order: tuple[DatePart, ...] = ("month", "day", "weekday", "hour")
    parts += [part for part in order if len(np.unique(cycles[part])) > 1]
    if "day" not in parts:  # months or years: the weekday of their first day says nothing
        parts = [part for part in parts if part != "weekday"]
    return parts


def _warn_assumptions(
    name: str,
    column: DistinctStrings,
    dates: Dates,
    has_zone: np.ndarray,
    notes: DataNotes,
) -> None:
    """Say what was assumed of days and months, and of time zones, in strings that are dates."""
    example = _ambiguous_string(column.strings, dates.day_first)
    if example:
        order, way = ("day", "month") if dates.day_first else ("month", "day")
        notes.warn(
            f"column {name!r} holds dates such as {example!r}, which are read with the {order} "
            f"first, though the {way} could be; where it is, convert them: "
            f"pandas.to_datetime(..., dayfirst={not dates.day_first})"
        )
    num_local = int(column.counts[~has_zone].sum())
    if dates.utc and num_local:
        notes.warn(
            f"column {name!r} holds times with a time zone, and {num_local:,} without one, which "
            "are taken as UTC"
        )


def _ambiguous_string(strings: np.ndarray, day_first: bool | None) -> str:
    """Return a date that is another one in the other order, if all are dates in it; else ""."""
    if day_first is None:
        return ""
    strings = strings[:_MAX_SAMPLE]
    here, there = (parse_dates(tf.constant(strings), x) for x in (day_first, not day_first))
    is_other = (here.seconds != there.seconds).numpy()
    return str(strings[is_other.argmax()]) if there.is_date.numpy().all() and is_other.any() else ""
