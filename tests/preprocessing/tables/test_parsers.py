"""Strings of a table that are parsed: dates, times of day, and numbers with a sign."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.tables import date_strings, parsers
from keras_fm.preprocessing.tables.amounts import AmountParser
from keras_fm.registry.dates import Dates
from keras_fm.registry.entry import Input

ALL_PARTS = ["elapsed", "month", "day", "weekday", "hour"]


def column(**fields):
    return Input(name="x", dtype="string", shape=[], description="", **fields)


def dates(**fields):
    return column(dates=Dates(**{"parts": ["elapsed"], "origin": "1970-01-01", **fields}))


def seconds_of(string, **fields):
    """Return the seconds since 1970 of a date in a column, NaN where it is none."""
    elapsed = parsers.parser_of(dates(**fields)).encode(tf.constant([string])).numpy()
    return elapsed.astype("float64")[0, 0] * 86400


DATES = {
    "2024-05-31": "2024-05-31",
    " 2024/5/31 ": "2024-05-31",
    "2024.05.31": "2024-05-31",
    "20240531": "2024-05-31",
    "20240531.0": "2024-05-31",
    "20240531T103000": "2024-05-31T10:30",
    "2024-05": "2024-05-01",
    "2024-05-31 10:30": "2024-05-31T10:30",
    "2024-05-31T10:30:00.25": "2024-05-31T10:30:00.250",
    "2024-05-31 10:30:00,25": "2024-05-31T10:30:00.250",
    "31 May 2024": "2024-05-31",
    "31-may-2024": "2024-05-31",
    "31st Sept. 2024": None,
    "30th Sept. 2024": "2024-09-30",
    "May 31, 2024": "2024-05-31",
    "Dec 1 2024 5:07 PM": "2024-12-01T17:07",
    "Fri, 31 May 2024 12:05 am": "2024-05-31T00:05",
    "August 2024": "2024-08-01",
    "2024-02-29": "2024-02-29",
    "2000-02-29": "2000-02-29",
    "2023-02-29": None,
    "1900-02-29": None,
    "2024-00-10": None,
    "2024-13-01": None,
    "2024-04-31": None,
    "2024-05-31 24:00": None,
    "2024-05-31 10:60": None,
    "2024-05-31 13:00 pm": None,
    "0000-01-01": None,
    "05/31/2024": None,
    "31.05.24": None,
    "10:30": None,
    "2024": None,
    "soon": None,
    "@2024 5 31 ": None,
    "@1970 time 1 10:30": None,
    "٢٠٢٤-٠٥-٣١": None,
}


@pytest.mark.parametrize("string", DATES)
def test_dates_are_read(string):
    expected = DATES[string]
    seconds = seconds_of(string)
    if expected is None:
        assert np.isnan(seconds)
    else:
        assert seconds == pytest.approx(pd.Timestamp(expected).timestamp(), abs=90)
    parsed = date_strings.parse_dates(tf.constant([string]), None)
    if expected is not None:
        assert parsed.seconds[0] == pd.Timestamp(expected).timestamp()


@pytest.mark.parametrize("separator", "/-.")
def test_days_are_first_where_the_column_says_so(separator):
    string = f"03{separator}5{separator}2024"
    assert np.isnan(seconds_of(string))
    may, march = (pd.Timestamp(day).timestamp() for day in ("2024-05-03", "2024-03-05"))
    assert seconds_of(string, day_first=True) == pytest.approx(may, abs=90)
    assert seconds_of(string, day_first=False) == pytest.approx(march, abs=90)
    assert np.isnan(seconds_of("31/05/2024", day_first=False))


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("Z", 0), (" UTC", 0), (" GMT", 0), ("+02:00", -2), ("-0530", 5.5), ("+01", -1)],
)
def test_time_zones_are_converted_or_not_read(zone, hours):
    naive = date_strings.parse_dates(tf.constant(["2024-05-31 10:30"]), None)
    zoned = date_strings.parse_dates(tf.constant(["2024-05-31 10:30" + zone]), None)
    assert zoned.seconds[0] - naive.seconds[0] == hours * 3600
    assert np.isnan(seconds_of("2024-05-31 10:30" + zone))
    assert np.isfinite(seconds_of("2024-05-31 10:30" + zone, utc=True))
    assert np.isfinite(seconds_of("2024-05-31 10:30", utc=True))


def test_times_of_day_are_no_dates():
    times = dates(origin=None)
    strings = tf.constant(["10:30", "6 pm", "6:00 PM", "23:59:59", "24:00", "2024-05-31", ""])
    elapsed = parsers.encode_strings(strings, times).numpy()[:, 0]
    nan = np.nan
    np.testing.assert_allclose(
        elapsed, [10.5 / 24, nan, 0.75, 86399 / 86400, nan, nan, nan], rtol=1e-6
    )


def test_the_calendar_is_that_of_pandas():
    random = np.random.default_rng(0)
    days = pd.to_datetime(random.integers(-80_000, 80_000, 5000) * 86_400 + 5_400, unit="s")
    parts = date_strings.calendar(tf.constant(days.map(pd.Timestamp.timestamp).to_numpy("float64")))
    np.testing.assert_allclose(parts["month"], (days.month - 1) / 12)
    np.testing.assert_allclose(parts["day"], (days.day - 1) / 31)
    np.testing.assert_allclose(parts["weekday"], days.day_of_week / 7)
    np.testing.assert_allclose(parts["hour"], 1.5 / 24)


def test_parts_are_a_number_and_cycles():
    parts = dates(parts=ALL_PARTS, origin="2024-05-30")
    assert parts.dates.width == 9
    encoded = parsers.encode_strings(tf.constant(["2024-05-31 18:00", "n/a"]), parts).numpy()
    angles = 2 * np.pi * np.array([4 / 12, 30 / 31, 4 / 7, 0.75])
    cycles = np.stack([np.sin(angles), np.cos(angles)], axis=1).ravel()
    np.testing.assert_allclose(encoded[0], [1.75, *cycles], atol=1e-6)
    assert np.isnan(encoded[1]).all()


def test_a_graph_reads_what_eager_code_reads():
    stamps = pd.date_range("1890-01-01", "2100-01-01", periods=400)
    strings = (
        [str(stamp) for stamp in stamps]
        + [*DATES]
        + [stamp.strftime("%d/%m/%Y") for stamp in stamps]
    )
    parts = dates(parts=ALL_PARTS, day_first=True)
    graph = tf.function(lambda cells: parsers.encode_strings(cells, parts))
    eager = parsers.encode_strings(tf.constant(strings), parts).numpy()
    np.testing.assert_allclose(graph(tf.constant(strings)), eager, rtol=1e-6, atol=1e-7)
    assert np.isfinite(eager[:400]).all()


AMOUNTS = {
    ("$", "$1,234.50"): 1234.5,
    ("$", "$ 1234.5"): 1234.5,
    ("$", "-$5"): -5,
    ("$", "$-5"): -5,
    ("$", "+$.50"): 0.5,
    ("$", "1,234 $"): 1234,
    ("$", "1234.567"): 1234.567,
    ("$", "1e3"): 1000,
    ("$", "$1.234"): None,  # one of thousands?
    ("$", "$12,34"): None,
    ("$", "1,234"): None,
    ("$", "€5"): None,
    ("$", "5 %"): None,
    ("$", "$"): None,
    ("$", "1e39"): None,
    ("€", "1,234.50 €"): 1234.5,
    ("€", "12,50 €"): None,
    ("€", "5\u00a0€"): 5,
    ("USD", "usd 1,000"): 1000,
    ("%", "12.5 %"): 12.5,
    ("%", "-3%"): -3,
    ("%", "0.125 %"): 0.125,
    ("%", "12.5"): 12.5,
    ("%", "1,5 %"): None,
    ("%", "1,234 %"): None,
}  # fmt: skip


@pytest.mark.parametrize(("unit", "string"), AMOUNTS)
def test_numbers_with_a_sign_are_read(unit, string):
    expected = AMOUNTS[unit, string]
    value = AmountParser(unit, scale=10).encode(tf.constant([f" {string} "])).numpy()[0]
    np.testing.assert_allclose(value, np.nan if expected is None else expected / 10, rtol=1e-6)


DURATIONS = {
    "1:23:45": 5025,
    "36:00:00": 129_600,
    "0:00:01.5": 1.5,
    "75:30": 4530,
    "0 days 01:23:45": 5025,  # as pandas writes them
    "1 day, 1:23:45": 91_425,  # as Python does
    "-1 days 00:00:00": -86_400,
    "2h 30min": 9000,
    "2 H 3 m": 7380,
    "1.5 hours": 5400,
    "-2h": -7200,
    "90s": 90,
    "45 min": 2700,
    "3 days, 2 hours and 5 minutes": 266_700,
    "1 week 1 d": 691_200,
    "PT1H30M": 5400,
    "P3DT12H": 302_400,
    "100 m": None,  # metres, perhaps
    "5 W": None,
    "5": None,
    "1:99": None,
    "1 hour 5": None,
    "2 months": None,
    "P": None,
    "PT": None,
    "red": None,
    "h": None,
}


@pytest.mark.parametrize("string", DURATIONS)
def test_durations_are_seconds(string):
    expected = DURATIONS[string]
    strings = tf.constant([f" {string} "])
    value = parsers.encode_strings(strings, column(unit="seconds", scale=10.0)).numpy()[0]
    np.testing.assert_allclose(value, np.nan if expected is None else expected / 10, rtol=1e-6)


def test_plain_numbers_have_no_sign():
    strings = ["$5", "5 $", "5", "1e3", "1,234", "$", "$x", ""]
    have_sign = AmountParser("$").have_sign(tf.constant(strings)).numpy()
    assert have_sign.tolist() == [True, True, *[False] * 6]


@pytest.mark.parametrize("string", ["", "NA", "nan", "NaT", " - ", "None", "?"])
@pytest.mark.parametrize(
    "cells",
    [dates(), column(unit="$"), column(unit="seconds")],
    ids=["dates", "amounts", "durations"],
)
def test_words_for_missing_values_are_readable(cells, string):
    assert parsers.are_readable(tf.constant([string]), cells).numpy().all()
    assert np.isnan(parsers.encode_strings(tf.constant([string]), cells)).all()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (dates(), "a date such as 2024-05-31,"),
        (dates(parts=["elapsed", "hour"], day_first=True, utc=True),
         "a date such as 2024-05-31 10:30 or 31/05/2024 10:30, in UTC or with its time zone,"),
        (dates(origin=None), "a time of day such as 10:30,"),
        (column(unit="$"), "an amount such as $1,234.50 or 1234.5,"),
        (column(unit="EUR"), "an amount such as EUR 1,234.50 or 1234.5,"),
        (column(unit="%"), "a percentage such as 12.5 % or 12.5,"),
        (column(unit="seconds"), "a duration such as 1:23:45, 2h 30min or 3 days,"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_named(cells, expected):
    strings = np.array(["", "soon", "later"])
    with pytest.raises(InvalidInputError) as error:
        parsers.check_strings([cells], {"x": strings}, lambda row: f"row {row} of t.csv")
    assert str(error.value) == (
        f"column 'x', row 1 of t.csv: expected {expected} or none where it is missing; "
        "received 'soon'"
    )
