"""Checks of numeric options."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

import keras_fm
from keras_fm import registry
from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError
from keras_fm.models.spec import ModelSpec
from keras_fm.options import check_float, check_int, check_option_names, to_python


@pytest.mark.parametrize("value", [3, np.int64(3), np.int32(3), np.uint8(3), np.array(3)])
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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(3), 3),
        (tf.constant(3).numpy(), 3),
        ("a", "a"),
        (None, None),
        ([np.int64(3)], [3]),
    ],
)
def test_values_of_numpy_become_pythons(value, expected):
    assert to_python(value) == expected
    assert type(to_python(value)) is type(expected)


@pytest.mark.parametrize("number", [np.int64, np.int32, np.uint8, np.array])
def test_recipes_and_builders_take_numbers_of_numpy(number):
    recipe = ModelSpec.of(registry.find("lstm")[0]).task.default_recipe()
    changes = {"epochs": number(2), "batch_size": number(8), "validation_examples": number(20)}
    expected = recipe.override(epochs=2, batch_size=8, validation_examples=20)
    assert recipe.override(**changes) == expected
    assert recipe.override(learning_rate=np.float32(0.5)).learning_rate == 0.5
    model = keras_fm.get("lstm", weights=None, units=number(8), width=number(8))
    assert model.get_layer("token_embedding").output_dim == 8


@pytest.mark.parametrize("value", [np.float64(2), np.bool_(True), np.array([2]), np.str_("2")])
def test_a_recipe_takes_no_other_value_of_numpy(value):
    recipe = ModelSpec.of(registry.find("lstm")[0]).task.default_recipe()
    with pytest.raises(SchemaError, match="field 'epochs': expected `int`"):
        recipe.override(epochs=value)


@pytest.mark.parametrize("name", ["inputs", "sede"])
def test_an_option_is_a_parameter_behind_those_that_are_none(name):
    def predict(model, inputs, *, seed=0):
        pass

    check_option_names("tiny", predict, {"seed": 1}, skip=2)
    with pytest.raises(UnknownNameError, match=f"tiny has no option '{name}'. .*seed"):
        check_option_names("tiny", predict, {name: 1}, skip=2)
