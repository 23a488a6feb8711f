"""A table's columns: from what a user has to what a model takes, and the ends of a table's model.

A column is an `Input` of the entry: float32, where NaN is a missing number; or string, where the
model takes the place of the string among the column's `values`, from 1 on, and 0 for any other.
Infinity is neither a number nor missing, but what a division by zero or an overflow left: an error.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_fm import refusing
from keras_fm.data import Examples
from keras_fm.data.raw_rows import Columns, plain_names
from keras_fm.entry import Input, Target
from keras_fm.layers import EnsembleMean, ImputeMissing

# What layers of tables' models are called, whatever the columns are. Keras wants all names of a
# model to differ, and an input's to be its key: a column of such a name gets another input.
LAYERS = re.compile(
    "numeric|normalization|impute_missing|piecewise_linear|numeric_embedding|numeric_flatten|"
    "features|member_inputs|dense[0-9]+|embedding|standardized|member_features|members|mean|scale|"
    "exponential|value|logits"
)
EMBEDDING = "{}_embedding"  # and the embedding of a categorical column


def numbers(columns: Columns) -> list[Input]:
    """The columns of numbers."""
    return [column for column in columns if column.dtype != "string"]


def categories(columns: Columns) -> list[Input]:
    """The columns of strings."""
    return [column for column in columns if column.dtype == "string"]


def input_names(columns: Columns) -> dict[str, str]:
    """For each column's name that of the model's input: the plain one, if no layer is called so.

    Another one names a column `logits`, say, or `size_cell` beside a column `size`.
    """
    plain = plain_names(columns)
    forms = ("{}_cell", "{}_one_hot", EMBEDDING)
    taken = {form.format(name) for name in plain.values() for form in forms}
    names: dict[str, str] = {}
    for column, name in plain.items():
        if name in taken or LAYERS.fullmatch(name):
            name = free_name(f"{name}_column", {*taken, *plain.values(), *names.values()})
        names[column] = name
    return names


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as make it none of those taken."""
    while name in taken:
        name += "_"
    return name


def model_inputs(columns: Columns) -> dict[str, Any]:
    """A Keras input `[batch]` for each column: float32, or int32 for a category's place."""
    names = input_names(columns)
    return {
        names[column.name]: keras.Input(
            (), name=names[column.name], dtype="int32" if column.dtype == "string" else "float32"
        )
        for column in columns
    }


def number_cells(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """The columns of numbers as one tensor `[batch, columns]` in a list, empty without any."""
    names = input_names(columns)
    own = [names[column.name] for column in numbers(columns)]
    cells = [layers.Reshape((1,), name=f"{name}_cell")(inputs[name]) for name in own]
    return [join(cells, "numeric")] if cells else []


def standard_numbers(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """The columns of numbers, standardised, missing ones told, as one tensor in a list.

    `[batch, 2 * columns]`; an empty list where there are none. `standardise` adapts the layer
    `normalization`.
    """
    return [
        ImputeMissing(name="impute_missing")(layers.Normalization(name="normalization")(cells))
        for cells in number_cells(inputs, columns)
    ]


def one_hot(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """For each column of strings a tensor `[batch, 1 + values]`, 1 in its place."""
    names = input_names(columns)
    encoders = {
        names[column.name]: layers.CategoryEncoding(
            1 + len(column.values), output_mode="one_hot", name=f"{names[column.name]}_one_hot"
        )
        for column in categories(columns)
    }
    return [encoder(inputs[name]) for name, encoder in encoders.items()]


def join(parts: list[Any], name: str) -> Any:
    """The parts `[batch, width]` side by side; one alone passes."""
    return (
        layers.Concatenate(name=name)(parts)
        if len(parts) > 1
        else layers.Identity(name=name)(parts[0])
    )


def head(embedding: Any, target: Target | None, num_classes: int | None) -> Any:
    """The end of a table's model: from `[batch, width]` to logits, or to the quantity `[batch]`.

    It begins at zero: what a training never sees stays without a say. The layer `scale` of a
    regression knows mean and variance of the (logarithm of the) training targets.
    """
    options = {"kernel_initializer": "zeros", "dtype": "float32"}
    if num_classes is not None:
        return layers.Dense(num_classes, name="logits", **options)(embedding)
    x = layers.Dense(1, name="standardized", **options)(embedding)
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(x)
    return _quantity(x, target)


def ensemble_head(
    embedding: Any, target: Target | None, num_classes: int | None, members: int
) -> Any:
    """The same for an ensemble, whose members' features lie side by side in `embedding`."""
    x = layers.Reshape((members, -1), name="member_features")(embedding)
    x = layers.EinsumDense(
        "bmi,mio->bmo",
        (members, num_classes or 1),
        bias_axes="mo",
        kernel_initializer="zeros",
        dtype="float32",
        name="members",
    )(x)
    if num_classes is not None:
        return EnsembleMean("cross_entropy", dtype="float32", name="logits")(x)
    # Scaled first: a member's error counts in the unit of the loss.
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(x)
    return _quantity(EnsembleMean("squared_error", dtype="float32", name="mean")(x), target)


def _quantity(x: Any, target: Target | None) -> Any:
    assert target is not None, "a table's model answers a target or has classes"
    if target.log:
        x = layers.Activation("exponential", dtype="float32", name="exponential")(x)
    return layers.Reshape((), dtype="float32", name="value")(x)


def standardise(model: keras.Model, examples: Examples) -> None:
    """Sets the layers that know the training data, from encoded examples.

    They are `normalization` and `piecewise_linear` for the columns of numbers, and `scale` for the
    targets.
    """
    names = {layer.name for layer in model.layers}
    columns = [column for column in examples.inputs.values() if column.dtype.kind == "f"]
    if columns:  # else there is no layer for them
        table = np.stack(columns, axis=-1)
        if "piecewise_linear" in names:
            model.get_layer("piecewise_linear").adapt(table)
        if "normalization" in names:
            means = np.nan_to_num(np.nanmean(table, axis=0))
            model.get_layer("normalization").adapt(np.where(np.isnan(table), means, table))
    if "scale" in names:
        scale = model.get_layer("scale")
        targets = np.log(examples.targets) if "exponential" in names else examples.targets
        scale.adapt(targets.reshape(-1, *[1] * (len(scale.output.shape) - 1)))


def encode(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A table's raw columns as the model takes them, by its inputs' names."""
    encoded = encoder(columns)({name: tf.constant(column) for name, column in inputs.items()})
    return {name: column.numpy() for name, column in encoded.items()}


def encoder(columns: Columns) -> Any:
    """A function of a dict of raw tensors, float32 or string, in stock TensorFlow ops.

    One way for `pipeline`, the training and the exports. Its `tables` are what it looks up in.
    """
    return _Encoder(columns)


class _Encoder:
    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.tables = {column.name: _places(column.values) for column in categories(columns)}

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        names = input_names(self.columns)
        return {names[c.name]: self._encode(c, raw[c.name]) for c in self.columns}

    def _encode(self, column: Input, raw: tf.Tensor) -> tf.Tensor:
        if column.name in self.tables:
            return tf.cast(self.tables[column.name].lookup(raw), tf.int32)
        if column.missing is None:
            return raw
        return tf.where(raw == column.missing, float("nan"), raw)


def check_cells(raw: dict[str, tf.Tensor], columns: Columns) -> dict[str, tf.Tensor]:
    """In a graph, raw columns by their plain names as they are: none with an infinite number.

    Raises:
        tf.errors.InvalidArgumentError: which column and row has one.
    """
    names, table = _numbers_of(raw, columns)
    right = ~tf.math.is_inf(table)

    def say() -> tf.Tensor:
        place = tf.argmin(tf.cast(tf.reshape(right, [-1]), tf.int32))
        row, column = place // len(names), place % len(names)
        said = ": expected a finite number, or NaN where it is missing; received "
        cell = refusing.as_text(table[row, column])
        return tf.strings.join(
            [tf.gather(names, column), ", row ", refusing.as_text(row), said, cell]
        )

    return refusing.require(raw, tf.reduce_all(right), say)


def check_answers(
    answers: dict[str, tf.Tensor], raw: dict[str, tf.Tensor], columns: Columns
) -> dict[str, tf.Tensor]:
    """In a graph, the answers to such columns as they are: finite ones.

    A line that was fitted goes on for ever, also to where its exponential has no number.

    Raises:
        tf.errors.InvalidArgumentError: which row has another answer, and its numbers.
    """
    names, table = _numbers_of(raw, columns)
    finite = [
        tf.reduce_all(tf.math.is_finite(answer), axis=range(1, answer.shape.rank))
        for answer in answers.values()
        if answer.dtype.is_floating
    ]
    right = tf.reduce_all(tf.stack(finite), axis=0)

    def say() -> tf.Tensor:
        row = tf.argmin(tf.cast(right, tf.int32))
        cells = tf.strings.join([names, refusing.as_text(table[row])], separator=" ")
        given = tf.strings.reduce_join(cells, separator=", ")
        return tf.strings.join(["row ", refusing.as_text(row), " has no finite answer: ", given])

    return refusing.require(answers, tf.reduce_all(right), say)


def _numbers_of(raw: dict[str, tf.Tensor], columns: Columns) -> tuple[list[str], tf.Tensor]:
    """The plain names of the columns of numbers, and these, `[batch, columns]`."""
    plain = plain_names(columns)
    names = [plain[column.name] for column in numbers(columns)]
    rows = tf.shape(next(iter(raw.values())))[0]
    return names, tf.stack([raw[name] for name in names], 1) if names else tf.zeros((rows, 0))


def _places(values: Sequence[str]) -> tf.lookup.StaticHashTable:
    places = tf.range(1, len(values) + 1, dtype=tf.int64)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(values, tf.string), places), 0
    )
