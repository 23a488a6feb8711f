"""Checks of numeric options."""

from fractions import Fraction

import numpy as np
import pytest

from keras_fm.errors import InvalidInputError
from keras_fm.options import check_float, check_int


@pytest.mark.parametrize("value", [3, np.int64(3), np.int32(3), np.uint8(3)])
def test_an_integer_of_any_kind_becomes_pythons(value):
    result = check_int("seed", value, 0, 3)
    assert (result, type(result)) == (3, int)


@pytest.mark.parametrize(
    "value",
    [True, np.True_, 3.0, np.float32(3), "3", None, [3], np.array([3]), float("nan"), 4, -1],
)
def test_anything_else_is_no_integer(value):
    with pytest.raises(InvalidInputError) as caught:
        check_int("seed", value, 0, 3)
    assert str(caught.value) == f"seed is a whole number from 0 to 3; received {value!r}"


@pytest.mark.parametrize(
    ("bounds", "words"),
    [((), ""), ((1,), " from 1"), ((1, 5), " from 1 to 5"), ((None, 5), " up to 5")],
)
def test_an_error_says_the_range(bounds, words):
    with pytest.raises(InvalidInputError) as caught:
        check_int("version", "1", *bounds)
    assert str(caught.value) == f"version is a whole number{words}; received '1'"


def test_the_bounds_belong_to_the_range():
    assert [check_int("n", value, 1, 2) for value in (1, 2)] == [1, 2]
    assert check_int("n", 10**30, 0) == 10**30
    assert check_int("n", -7) == -7
    assert [check_float("x", value, 0.5, 1) for value in (0.5, 1)] == [0.5, 1.0]


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), np.float16(0.5), Fraction(1, 2)]
)
def test_a_number_of_any_kind_becomes_pythons(value):
    result = check_float("rate", value, 0)
    assert (result, type(result)) == (0.5, float)
    assert type(check_float("rate", np.int64(2), 0)) is float


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "1", None, float("nan"), float("inf"), -float("inf"), np.float32("nan"),
     10**400, 1j, np.array([1.0]), -0.1, 1.1],
)  # fmt: skip
def test_anything_else_is_no_number(value):
    with pytest.raises(InvalidInputError) as caught:
        check_float("rate", value, 0, 1)
    assert str(caught.value) == f"rate is a number from 0 to 1; received {value!r}"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_number_without_bounds_is_finite(value):
    with pytest.raises(InvalidInputError, match="rate is a number; received"):
        check_float("rate", value)


def test_a_bound_can_be_outside_the_range():
    assert check_float("timeout", 1e-9, above=0) == 1e-9
    with pytest.raises(InvalidInputError) as caught:
        check_float("timeout", 0, above=0, unit="seconds")
    assert str(caught.value) == "timeout is a number of seconds above 0; received 0"
