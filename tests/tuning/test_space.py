"""Spaces: what ships, what is refused with which sentence, what is drawn."""

import random

import numpy as np
import pytest

from keras_fm.errors import InvalidInputError, KerasFmError, SchemaError, UnknownNameError
from keras_fm.registry import list_models
from keras_fm.registry.recipe import recipe_class_of
from keras_fm.registry.tasks import TASKS
from keras_fm.tuning.arguments import check_tune, checked_space
from keras_fm.tuning.space import FieldSpace, Space, default_space, read_space
from keras_fm.tuning.trial_training import TrialTraining

RATE = {"low": 0.001, "high": 0.01}


def check(tmp_path, space, name="cifar_cnn", **options):
    training = TrialTraining(name, options.pop("data", "sample"), None, {}, 0, options)
    return checked_space(training, space, tmp_path)


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_a_space_of_its_own_fields(task):
    space = read_space(default_space(task)).check({"": [recipe_class_of(task)]})
    assert "learning_rate" in space.fields
    assert space.fields.keys() <= {*recipe_class_of(task).__struct_fields__}


@pytest.mark.parametrize("name", list_models())
def test_recipes_of_each_model_take_all_values_of_its_space(name, tmp_path):
    training = TrialTraining(name, "sample", None, {}, 0)
    space = checked_space(training, None, tmp_path).resolve(training.recipe_values())
    rng = random.Random(0)
    for _ in range(5):
        training.check(space.draw(rng), tmp_path / "run")
    base = training.recipe_values()
    nearest = space.nearest(base)
    assert nearest["learning_rate"] == base["learning_rate"]
    training.check(nearest, tmp_path / "run")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "expected a range for each field, such as learning_rate = {low = 1e-4"),
        ({"learning_rate": 0.1}, r"learning_rate: expected \{low = ..., high = ...\} or .* 0.1"),
        ({"learning_rate": {}}, "learning_rate: expected low and high; received neither"),
        ({"learning_rate": {"low": 1.0}}, "expected low and high; received low"),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, "expected low below high; received 0.1 and"),
        ({"learning_rate": {"lo": 0.1, "high": 1}}, "unknown field 'lo'. Did you mean 'low'"),
        ({"learning_rate": {"low": "a", "high": 1}}, "field 'low': expected .* received 'a'"),
        ({"learning_rate": {"low": -1, "high": 1}}, "learning_rate: expected .* > 0.0.*; received"),
        ({"learning_rate": {**RATE, "high": float("nan")}}, "learning_rate: expected"),
        ({"weight_decay": {"low": 0, "high": 1, "log": True}}, "above 0 with log = true; received"),
        ({"learning_rate": {**RATE, "log": True, "step": 0.001}}, "a step or log = true, not both"),
        ({"epochs": {"low": 1, "high": 4, "step": 2}}, "high to be low plus a multiple of step"),
        ({"epochs": {"low": 1, "high": 4, "step": -1}}, "expected a step above 0; received -1"),
        ({"epochs": {"low": 1.5, "high": 4}}, "epochs: expected `int`, got `float`; received 1.5"),
        ({"epochs": {"low": 0, "high": 4}}, "epochs: expected `int` >= 1; received 0"),
        ({"epochs": {"low": 1, "high": 4, "relative": True}}, "numbers with a fraction"),
        ({"flip": {"low": 0, "high": 1}}, "flip: expected {choices = .*its values are no numbers"),
        ({"flip": {"choices": ["none", "up"]}}, "flip: invalid enum value 'up'; received 'up'"),
        ({"flip": {"choices": ["none"]}}, "two or more different choices; received"),
        ({"batch_size": {"choices": [64, 64]}}, "two or more different choices; received"),
        ({"batch_size": {"choices": [64, 128], "low": 3}}, "a range or choices; received both"),
        ({"momentum": {"low": 0.5, "high": 1.0}}, "momentum: expected .* < 1.0; received 1.0"),
        (
            {"validation_examples": {"low": 5, "high": 9}},
            "compared on the same validation examples",
        ),
        ({"nesterov": {"low": 0, "high": 1}}, "nesterov: expected {choices"),
        ({"lora_rank": {"low": 1, "high": 4}}, "a trial would have lora_rank=.*field 'lora_rank'"),
    ],
)
def test_a_bad_space_is_refused_with_a_sentence(table, message, tmp_path):
    with pytest.raises(SchemaError, match=message) as caught:
        check(tmp_path, table)
    assert str(caught.value).startswith("space: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"lr": RATE}, "has no field 'lr'. Did you mean 'learning_rate'"),
        ({"cell_dropout": {"low": 0, "high": 0.1}}, "has no field 'cell_dropout'"),
        ({"head": {"learning_rate": RATE}}, "has no field 'head.learning_rate'"),
        ({"pretraining": {"learning_rate": RATE}}, "has no field 'pretraining.learning_rate'"),
    ],
)
def test_an_unknown_field_is_named(table, message, tmp_path):
    with pytest.raises(UnknownNameError, match=message):
        check(tmp_path, table)


def test_a_relative_range_needs_a_value_of_the_recipe(tmp_path):
    space = {"weight_decay": {"low": 0.5, "high": 2, "relative": True}}
    assert check(tmp_path, space, "mlp")
    with pytest.raises(SchemaError, match=r"a multiple of the recipe's value, which is 0.0"):
        check(tmp_path, space, "cifar_cnn_basic")


def test_a_field_has_a_range_or_a_value(tmp_path):
    with pytest.raises(InvalidInputError, match="leave out one of them"):
        check(tmp_path, {"learning_rate": RATE}, learning_rate=0.5)
    space = check(tmp_path, None, learning_rate=0.5)
    assert "learning_rate" not in space.fields
    assert "weight_decay" in space.fields


def test_a_file_is_a_space_and_its_errors_name_it(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        "learning_rate = {low = 1e-4, high = 1e-2, log = true}\nbatch_size = {choices = [8, 16]}\n"
        "epochs = {low = 5, high = 20, step = 5}\n"
    )
    space = check(tmp_path, path)
    rng = random.Random(1)
    drawn = [space.draw(rng) for _ in range(40)]
    assert {values["batch_size"] for values in drawn} == {8, 16}
    assert {values["epochs"] for values in drawn} == {5, 10, 15, 20}
    assert all(1e-4 <= values["learning_rate"] <= 1e-2 for values in drawn)
    path.write_text("learning_rate = {low = 1, high = 0.5}\n")
    with pytest.raises(SchemaError, match=r"^/.*space\.toml: learning_rate: expected low below"):
        check(tmp_path, path)
    with pytest.raises(SchemaError, match=r"missing\.toml: can't be read"):
        check(tmp_path, tmp_path / "missing.toml")


def test_values_are_drawn_from_all_of_a_range():
    rng = random.Random(0)
    rates = [FieldSpace(low=1e-4, high=1.0, log=True).draw(rng) for _ in range(400)]
    assert 0.4 < np.mean(np.array(rates) < 1e-2) < 0.6  # as many in each of the decades
    assert all(float(f"{rate:.4g}") == rate for rate in rates)
    assert {FieldSpace(low=2, high=4).draw(rng) for _ in range(40)} == {2, 3, 4}
    steps = {FieldSpace(low=0.1, high=0.3, step=0.1).draw(rng) for _ in range(40)}
    assert steps == {0.1, 0.2, 0.3}
    narrow = FieldSpace(low=0.1234562, high=0.1234563)  # four digits would leave it
    assert 0.1234562 <= narrow.draw(rng) <= 0.1234563


@pytest.mark.parametrize(("value", "nearest"), [(22, 20), (23, 25), (99, 30), (1, 10)])
def test_the_first_trial_has_the_nearest_value(value, nearest):
    assert FieldSpace(low=10, high=30, step=5).clipped(value) == nearest
    assert FieldSpace(choices=[nearest, 16]).clipped(value) is None


def test_a_relative_range_is_a_multiple_of_the_recipes_value():
    field = FieldSpace(low=0.5, high=2.0, relative=True)
    [resolved] = Space("", {"weight_decay": field}).resolve({"weight_decay": 0.1}).fields.values()
    assert resolved == FieldSpace(low=0.05, high=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials is a whole number from 1; received 0"),
        ({"trials": 2.5}, "trials is a whole number from 1; received 2.5"),
        ({"strategy": "head"}, "fine-tunes on a user's own data"),
        ({"text": "body"}, "name a strategy too"),
        ({"strategy": "heads", "data": "x"}, "no strategy 'heads'. Did you mean 'head'"),
        ({"space": 5}, "expected a TOML file or a dict; received 5"),
        ({"lr": 0.1}, "Did you mean 'learning_rate'"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"target": "price"}, "target and problem_type are for a CSV file"),
    ],
)
def test_bad_arguments_are_refused_before_anything_starts(options, message, tmp_path):
    with pytest.raises(KerasFmError, match=message):
        check_tune("linear_regression", **{"data": "sample", "directory": tmp_path, **options})
    assert not [*tmp_path.iterdir()]
