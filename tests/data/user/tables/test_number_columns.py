"""Columns of numbers of any type, among words, and as people write them."""

import decimal
import fractions

import numpy as np
import pandas as pd
import pytest

from keras_fm.data.user.tables import number_checks
from keras_fm.data.user.tables.number_columns import read_numbers, to_texts

NUMBERS = [0.5, -2.0, 1e3, 7.25]


def arrow(values, dtype=None):
    pyarrow = pytest.importorskip("pyarrow")
    return pd.Series(values, dtype=pd.ArrowDtype(dtype(pyarrow)))


@pytest.mark.parametrize(
    "cells",
    [
        lambda: pd.Series(NUMBERS),
        lambda: pd.Series(NUMBERS, dtype=object),
        lambda: pd.Series(NUMBERS, dtype="float32"),
        lambda: pd.Series(NUMBERS, dtype="Float64"),
        lambda: pd.Series([decimal.Decimal(str(x)) for x in NUMBERS]),
        lambda: pd.Series([fractions.Fraction(x) for x in NUMBERS]),
        lambda: pd.Series([np.float32(0.5), -2, decimal.Decimal(1000), 7.25], dtype=object),
        lambda: pd.Series(pd.Categorical(NUMBERS)),
        lambda: pd.Series(pd.Categorical([decimal.Decimal(str(x)) for x in NUMBERS])),
        lambda: pd.Series(pd.arrays.SparseArray(NUMBERS)),
        lambda: arrow(NUMBERS, lambda pa: pa.float64()),
        lambda: arrow([decimal.Decimal(str(x)) for x in NUMBERS], lambda pa: pa.decimal128(9, 3)),
        lambda: pd.Series(["0.5", "-2", "1e3", " 7.25 "]),
        lambda: pd.Series(["0.5", "-2", "1e3", "7.25"], dtype="string"),
    ],
)
def test_numbers_of_any_type_are_numbers(cells):
    cells = cells()
    column = read_numbers(cells)
    assert column.numbers.tolist() == NUMBERS
    assert not column.warning
    assert not column.reason
    with_missing = cells.astype(object).copy()
    with_missing[4] = None
    numbers = read_numbers(with_missing).numbers
    assert numbers[:4].tolist() == NUMBERS
    assert np.isnan(numbers[4])


@pytest.mark.parametrize(
    "cells",
    [
        ["01", "02", "03", "04"],
        ["1", "2", "1", "2"],
        [True, None, False],
        ["a", "b", "c", "2"],
        [[1], [2]],
        [1j, 2],
        pd.date_range("2026-01-01", periods=3),
        ["?", "?", "?", "1"],
    ],
    ids=["codes", "recurring", "booleans", "words", "lists", "complex", "dates", "few"],
)
def test_other_columns_are_not_numeric_and_need_no_sentence(cells):
    column = read_numbers(pd.Series(cells))
    assert (column.numbers, column.reason) == (None, "")


@pytest.mark.parametrize("words", [["Total"], ["Total", "Sum"], ["n/v", "n/v", "n/v"]])
def test_a_few_words_among_numbers_count_as_missing(words):
    values = [f"{n / 7:.3f}" for n in range(100 - len(words))]
    for cells in ([*words, *values], [*words, *map(float, values)]):
        column = read_numbers(pd.Series(cells, dtype=object))
        assert int(column.numbers.isna().sum()) == len(words)
        assert f"{100 - len(words)} of 100 cells are numbers, and " in column.warning
        assert "missing" in column.warning
        assert f"'{words[0]}'" in column.warning


def test_words_that_recur_beside_few_whole_numbers_are_levels():
    column = read_numbers(pd.Series([*map(str, range(5))] * 20 + ["many"] * 5))
    assert column.numbers is None
    assert column.reason == "100 of 105 cells are numbers, and others are words, such as 'many'"


def test_many_words_among_numbers_are_named():
    column = read_numbers(pd.Series([*(f"{n}.5" for n in range(70)), *["low", "high"] * 15]))
    assert column.numbers is None
    assert column.reason.startswith("70 of 100 cells are numbers, and others are words, such as '")


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda x: f"{x:.1f}".replace(".", ","), "decimal commas, such as '"),
        (lambda x: f"{x:.3f}".replace(".", ","), "decimal commas"),
        (lambda x: f"{abs(x) * 1e5:,.2f}".translate({44: ".", 46: ","}), "decimal commas"),
        (lambda x: f"{abs(x) * 1e5:,.0f}", "thousands separators, such as '"),
        (lambda x: f"{x * 1e6:,.2f}", "thousands separators"),
        (lambda x: f"{abs(x) * 1e5:,.0f}".replace(",", " "), "thousands separators"),
        (lambda x: f"{abs(x) * 1e5:,.0f}".replace(",", "\u202f"), "thousands separators"),
        (lambda x: f"{abs(x) * 1e5:,.0f}".replace(",", "'"), "thousands separators"),
        (lambda x: f"{x * 10:.0f}%", "percent signs, such as '"),
        (lambda x: f"{x:.2f} %", "percent signs"),
        (lambda x: f"${x:.2f}", "currency signs, such as '$"),
        (lambda x: f"-€{abs(x):.2f}", "currency signs"),
        (lambda x: f"{x:.2f} €", "currency signs"),
        (lambda x: f"USD {x:.2f}", "currency signs"),
        (lambda x: f"{x:.2f} kg", "a unit, such as '"),
        (lambda x: f"−{abs(x):.2f}", "other minus signs than '-', such as '−"),
        (lambda x: f"({abs(x):.2f})", "other minus signs than '-'"),
    ],
)
@pytest.mark.parametrize("repeats", [1, 3])
def test_numbers_as_people_write_them_are_told(write, reason, repeats):
    values = np.random.default_rng(0).normal(size=50) * 3
    values = values[np.abs(values) > 0.1]
    cells = [write(value) for value in values] * repeats
    column = read_numbers(pd.Series(cells))
    assert column.numbers is None
    assert column.reason.startswith(f"the numbers have {reason}")
    assert "; " in column.reason


def test_strings_that_are_numbers_are_numeric_where_nearly_all_differ():
    column = read_numbers(pd.Series([f"{n}.5" for n in range(60)]))
    assert column.were_strings
    assert column.note == "is numeric: all cells are strings that are numbers"
    assert read_numbers(pd.Series(["0.5", "1.5"] * 30)).numbers is None


def test_numbers_beyond_float_are_infinite():
    for cells in ([10**400, 1], ["1e400", "1.5"]):
        assert read_numbers(pd.Series(cells, dtype=object)).numbers.tolist()[0] == np.inf


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (2**24 + 1 + 2 * np.arange(50), "whole numbers beyond 2**24, such as 16,777,217"),
        (1.6e9 + 3.0 * np.arange(50), "whole numbers beyond 2**24"),
        (np.arange(50) * 2**54, "whole numbers beyond 2**24"),
        (1e9 + np.linspace(0, 1, 50), "50 different numbers, of which float32 tells only 1 apart"),
        (np.linspace(1, 2, 50) * 1e-50, "float32 tells only 1 apart"),
        (np.arange(50), ""),
        (np.random.default_rng(0).normal(size=50) * 1e20, ""),
        (np.random.default_rng(0).normal(size=50) * 1e-20, ""),
        (np.full(50, np.nan), ""),
    ],
)
def test_numbers_that_float32_can_not_tell_apart_are_told(cells, message):
    sentence = number_checks.unlike_in_float32(pd.Series(cells))
    assert message in sentence
    assert bool(sentence) == bool(message)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (range(20), True),
        (np.random.default_rng(0).permutation(20) - 5.0, True),
        ([*range(19), 20], False),
        ([*range(19), 0], False),
        ([*range(19), np.nan], False),
        ([n + 0.5 for n in range(20)], False),
        (["a", "b"], False),
    ],
)
def test_consecutive_numbers_are_found_in_any_order(cells, expected):
    assert number_checks.are_consecutive(pd.Series(cells)) == expected


@pytest.mark.parametrize(
    ("factor", "scale"),
    [(1, None), (0.11, None), (900, None), (1e-9, 1e-9), (2e20, 1e20), (1e-60, 1e-37), (0, None)],
)
def test_the_unit_of_numbers_is_a_power_of_ten(factor, scale):
    values = np.random.default_rng(0).permutation([-1.0, 1.0, np.nan] * 50)
    assert number_checks.power_of_ten(values * factor) == scale


def test_texts_have_no_outer_blanks_and_composed_accents():
    cells = pd.Series([" a", "e\u0301 ", b"b", 1, 1.5, True, [1]], dtype=object)
    texts = to_texts(cells)
    assert texts[:6].tolist() == ["a", "é", "b", "1", "1.5", "True"]
    assert texts.isna().tolist() == [False] * 6 + [True]
