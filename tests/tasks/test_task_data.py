"""What tasks say of examples and recipes before a training: what fits, differs and scales."""

from dataclasses import replace

import helpers
import numpy as np
import pandas as pd
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.models.spec import ModelSpec


def task_named(name):
    return ModelSpec.of(registry.find(name)[0]).task


@pytest.mark.parametrize(
    ("optimizer", "expected"), [("sgd", 0.8 * 10 / 512), ("adam", 0.8), ("adamw", 0.8)]
)
def test_the_rate_of_sgd_alone_follows_a_smaller_batch(optimizer, expected):
    recipe = helpers.recipe(optimizer=optimizer, batch_size=512, learning_rate=0.8)
    fields = task_named("cifar_cnn").data.adapt_recipe(320, recipe)
    assert fields["batch_size"] == 10
    assert fields.get("learning_rate", recipe.learning_rate) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["cifar_cnn_basic", "lstm", "mlp", "gan", "char_lstm"])
@pytest.mark.parametrize("examples", [None, [1, 2], (np.zeros((2, 32, 32, 3)), [0, 1])])
def test_what_are_no_examples_is_an_error(name, examples):
    with pytest.raises(DataError, match=r"expected keras_fm.data.Examples\(.*; received "):
        task_named(name).data.check(examples)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_images_of_another_dtype_are_an_error(dtype):
    sample = datasets.sample("cifar10")
    examples = replace(sample, inputs=sample.inputs.astype(dtype))
    with pytest.raises(DataError, match=rf"expected uint8 images .*; received {dtype} \[256, 32"):
        task_named("cifar_cnn_basic").data.check(examples)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize("column", ["carat", "z"])
def test_infinite_numbers_of_a_table_are_an_error(column, infinity):
    sample = datasets.sample("diamonds")
    values = sample.inputs[column].copy()
    values[3] = infinity
    examples = replace(sample, inputs={**sample.inputs, column: values})
    with pytest.raises(DataError, match=f"expected finite numbers in '{column}'.*row 3 is infin"):
        task_named("mlp").data.check(examples)


@pytest.mark.parametrize(
    ("task", "field", "value"),
    [
        ("image-classification", "flip", "random"),
        ("image-classification", "random_translation", 2),
        ("image-classification", "cutout", 8),
        ("text-classification", "token_dropout", 0.1),
        ("tabular-regression", "cell_dropout", 0.1),
    ],
)
def test_a_recipe_augments_where_a_field_says_so(task, field, value):
    assert not helpers.recipe(task).augments
    assert helpers.recipe(task, **{field: value}).augments


def test_images_that_grow_differ():
    assert helpers.recipe(image_sizes=[24, 32], image_size_starts=[0.0, 0.5]).augments


def test_windows_of_a_masked_language_model_always_differ():
    assert helpers.recipe("fill-mask").augments


def test_the_majority_class_is_that_of_the_training_examples():
    objective = task_named("cifar_cnn_basic").objective
    training = Examples(None, np.array([1] * 6 + [2] * 4), "")
    validation = Examples(None, np.array([2] * 3 + [1]), "")
    assert objective.baseline(training, validation)["accuracy"] == 0.25


def test_a_pretrained_model_keeps_the_columns_that_it_knows():
    sample = datasets.sample("diamonds")
    others = {"weight": np.sqrt(np.arange(256)), "price": sample.targets}
    user_data = UserData(pd.DataFrame({**sample.inputs, **others}), target="price")
    data = task_named("mlp").data
    for keep_columns in (True, False):
        spec, examples, _ = data.load_user_data(user_data, 0, keep_columns=keep_columns)
        assert (spec.inputs == data.columns) == keep_columns
        assert ("weight" in examples.inputs) != keep_columns
        assert (spec.target == data.spec.target) == keep_columns  # of which it keeps the scale
