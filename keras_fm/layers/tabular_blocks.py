"""Blocks of models of tables: the inputs of their columns, encodings, and heads."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_fm.layers import EnsembleMean, ImputeMissing, MeanProbability, SmoothClip
from keras_fm.layers.initializers import PassOnLast
from keras_fm.preprocessing.tables.columns import (
    Columns,
    categorical_columns,
    input_names,
    text_columns,
)
from keras_fm.registry.entry import Input, Target

MEMBERS = "members"  # the layer with the outputs of each member of an ensemble
LINEAR = "linear"  # that with the outputs of each member's linear model


def model_inputs(columns: Columns) -> dict[str, Any]:
    """Make a Keras input `[batch]` for each column: float32, or the int32 index of a category.

    That of a column of dates is float32 `[batch, dates.width]`, that of texts int32
    `[batch, hash_buckets]`.
    """
    names = input_names(columns)
    integers = [*categorical_columns(columns), *text_columns(columns)]
    return {
        names[column.name]: keras.Input(
            _cell_shape(column),
            name=names[column.name],
            dtype="int32" if column in integers else "float32",
        )
        for column in columns
    }


def _cell_shape(column: Input) -> tuple[int, ...]:
    if column.hash_buckets is not None:
        return (column.hash_buckets,)
    return () if column.dates is None else (column.dates.width,)


def numeric_features(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return all numbers as one tensor `[batch, numbers]` in a list, empty without any.

    They are those of the numeric columns, one each, and of the columns of dates, in the order of
    the table.
    """
    names = input_names(columns)
    others = [*categorical_columns(columns), *text_columns(columns)]
    numbers = [
        layers.Reshape((1,), name=f"{names[column.name]}_cell")(inputs[names[column.name]])
        if column.dates is None
        else inputs[names[column.name]]
        for column in columns
        if column not in others
    ]
    return [concatenate(numbers, "numeric")] if numbers else []


def standardized_features(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return all numbers standardized, and missing ones marked, as one tensor in a list.

    `[batch, 2 * numbers]`; an empty list where there are none. `standardise` sets `normalization`.
    """
    return [standardized(cells) for cells in numeric_features(inputs, columns)]


def standardized(numeric: Any) -> Any:
    """Return numbers `[batch, numbers]` standardized, and missing ones marked."""
    x = layers.Normalization(name="normalization")(numeric)
    return ImputeMissing(name="impute_missing")(x)


def clipped(numeric: Any) -> Any:
    """Return numbers `[batch, numbers]` around their medians, 0 where one is missing.

    An interquartile range is 1 long, and outliers are drawn in. `adapt_features` sets
    `robust_normalization`.
    """
    x = SmoothClip(name="smooth_clip")(layers.Normalization(name="robust_normalization")(numeric))
    return ImputeMissing(indicators=False, name="impute_median")(x)


def one_hot(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return a one-hot tensor `[batch, 1 + categories]` for each column of strings."""
    names = input_names(columns)
    encoders = {
        names[column.name]: layers.CategoryEncoding(
            1 + len(column.categories), output_mode="one_hot", name=f"{names[column.name]}_one_hot"
        )
        for column in categorical_columns(columns)
    }
    return [encoder(inputs[name]) for name, encoder in encoders.items()]


def hashed_words(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return the word counts of each column of texts, `[batch, hash_buckets]` of length 1.

    So a long text has no more say than a short one; one without words is 0.
    """
    names = [input_names(columns)[column.name] for column in text_columns(columns)]
    counts = {name: layers.Rescaling(1.0, name=f"{name}_counts")(inputs[name]) for name in names}
    return [layers.UnitNormalization(name=f"{name}_words")(x) for name, x in counts.items()]


def concatenate(parts: list[Any], name: str) -> Any:
    """Concatenate parts `[batch, width]`; a single one is returned as it is."""
    return (
        layers.Concatenate(name=name)(parts)
        if len(parts) > 1
        else layers.Identity(name=name)(parts[0])
    )


def head(embedding: Any, target: Target | None, num_classes: int | None) -> Any:
    """Add the output layers: from `[batch, width]` to logits, or to the value `[batch]`.

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
    """Add those of an ensemble, whose members' features are concatenated in `embedding`."""
    x = layers.Reshape((members, -1), name="member_features")(embedding)
    x = layers.EinsumDense(
        "bmi,mio->bmo",
        (members, num_classes or 1),
        bias_axes="mo",
        kernel_initializer="zeros",
        dtype="float32",
        name=MEMBERS,
    )(x)
    if num_classes is not None:
        return EnsembleMean("cross_entropy", dtype="float32", name="logits")(x)
    # Scaled first: a member's error counts in the unit of the loss.
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(x)
    return _quantity(EnsembleMean("squared_error", dtype="float32", name="mean")(x), target)


def linear_members(features: Any, num_classes: int | None, members: int) -> Any:
    """Add a linear model for each member: `[batch, width]` -> `[batch, members, outputs]`.

    It is solved for before the training (`keras_fm.models.linear_models`), not trained.
    """
    return layers.EinsumDense(
        "bi,mio->bmo",
        (members, num_classes or 1),
        bias_axes="mo",
        kernel_initializer="zeros",
        trainable=False,
        dtype="float32",
        name=LINEAR,
    )(features)


def separate_members_head(
    embedding: Any, target: Target | None, num_classes: int | None, members: int
) -> Any:
    """Add that of an ensemble whose members have no weight in common, and are trained by folds.

    The layer `MEMBERS` is cut off from what follows in a training: it has the members' logits
    `[batch, members, classes]`, or values `[batch, members]`. The model's output is their mean. At
    first it passes on the last features of each member, its linear model's output.
    """
    x = layers.Reshape((members, -1), name="member_features")(embedding)
    options: dict[str, Any] = {
        "bias_axes": "mo",
        "kernel_initializer": PassOnLast(),
        "dtype": "float32",
    }
    shape = (members, num_classes or 1)
    if num_classes is not None:
        x = layers.EinsumDense("bmi,mio->bmo", shape, name=MEMBERS, **options)(x)
        return MeanProbability(dtype="float32", name="logits")(x)
    x = layers.EinsumDense("bmi,mio->bmo", shape, name="standardized", **options)(x)
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(x)
    x = layers.Reshape((members,), dtype="float32", name=MEMBERS)(_in_unit(x, target))
    x = layers.Reshape((members, 1), dtype="float32", name="member_values")(x)
    x = layers.GlobalAveragePooling1D(dtype="float32", name="mean")(x)
    return layers.Reshape((), dtype="float32", name="value")(x)


def _quantity(x: Any, target: Target | None) -> Any:
    return layers.Reshape((), dtype="float32", name="value")(_in_unit(x, target))


def _in_unit(x: Any, target: Target | None) -> Any:
    assert target is not None, "a model of a table predicts a target or has classes"
    if target.log:
        x = layers.Activation("exponential", dtype="float32", name="exponential")(x)
    if target.scale is not None:
        x = layers.Rescaling(target.scale, dtype="float32", name="rescaling")(x)
    return x


def adapt_features(
    model: keras.Model, inputs: Mapping[str, np.ndarray], targets: np.ndarray
) -> None:
    """Adapt the layers that hold statistics of the training data.

    They are `normalization`, `robust_normalization` and `piecewise_linear` for the numeric columns,
    `scale` for targets.

    Args:
        model: Of a table.
        inputs: The encoded columns by the names of the model's inputs.
        targets: As the loss takes them.
    """
    names = {layer.name for layer in model.layers}
    columns = [column for column in inputs.values() if column.dtype.kind == "f"]
    if columns:  # else there is no layer for them
        table = np.column_stack(columns)  # a column of dates is several numbers
        if "piecewise_linear" in names:
            model.get_layer("piecewise_linear").adapt(table)
        if "normalization" in names:
            means = np.nan_to_num(np.nanmean(table, axis=0, dtype="float64"))
            squares = np.square(np.where(np.isnan(table), 0, table - means))
            _set_statistics(model.get_layer("normalization"), means, squares.mean(axis=0))
        if "robust_normalization" in names:
            _set_statistics(model.get_layer("robust_normalization"), *_median_and_range(table))
    if "scale" in names:
        targets = targets.astype("float64")
        if "rescaling" in names:
            targets = targets / model.get_layer("rescaling").scale
        targets = np.log(targets) if "exponential" in names else targets
        _set_statistics(model.get_layer("scale"), targets.mean(), targets.var())


def _median_and_range(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the median of each column, and the square of its interquartile range.

    Of a column that is mostly one value the range is zero: then half of that from the least to the
    largest number, as where two values stand for no and yes.
    """
    least, lower, median, upper, largest = np.nan_to_num(
        np.nanquantile(table.astype("float64"), [0, 0.25, 0.5, 0.75, 1], axis=0)
    )
    spread = np.where(upper > lower, upper - lower, (largest - least) / 2)
    return median, np.square(spread)


def _set_statistics(layer: layers.Normalization, mean: Any, variance: Any) -> None:
    """Set what Keras' `adapt` computes in float32, where the variance of large numbers is lost."""
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(variance)
    layer.finalize_state()
