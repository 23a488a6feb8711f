"""Blocks of models of tables: the inputs of their columns, encodings, and heads."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_fm.layers import EnsembleMean, ImputeMissing
from keras_fm.preprocessing.tables.columns import (
    Columns,
    categorical_columns,
    input_names,
    numeric_columns,
)
from keras_fm.registry.entry import Target


def model_inputs(columns: Columns) -> dict[str, Any]:
    """Make a Keras input `[batch]` for each column: float32, or the int32 index of a category."""
    names = input_names(columns)
    return {
        names[column.name]: keras.Input(
            (), name=names[column.name], dtype="int32" if column.dtype == "string" else "float32"
        )
        for column in columns
    }


def numeric_features(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return the numeric columns as one tensor `[batch, columns]` in a list, empty without any."""
    names = input_names(columns)
    own = [names[column.name] for column in numeric_columns(columns)]
    cells = [layers.Reshape((1,), name=f"{name}_cell")(inputs[name]) for name in own]
    return [concatenate(cells, "numeric")] if cells else []


def standardized_features(inputs: dict[str, Any], columns: Columns) -> list[Any]:
    """Return the numeric columns standardized, and missing ones marked, as one tensor in a list.

    `[batch, 2 * columns]`; an empty list where there are none. `standardise` sets `normalization`.
    """
    return [
        ImputeMissing(name="impute_missing")(layers.Normalization(name="normalization")(cells))
        for cells in numeric_features(inputs, columns)
    ]


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
        name="members",
    )(x)
    if num_classes is not None:
        return EnsembleMean("cross_entropy", dtype="float32", name="logits")(x)
    # Scaled first: a member's error counts in the unit of the loss.
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(x)
    return _quantity(EnsembleMean("squared_error", dtype="float32", name="mean")(x), target)


def _quantity(x: Any, target: Target | None) -> Any:
    assert target is not None, "a model of a table predicts a target or has classes"
    if target.log:
        x = layers.Activation("exponential", dtype="float32", name="exponential")(x)
    if target.scale is not None:
        x = layers.Rescaling(target.scale, dtype="float32", name="rescaling")(x)
    return layers.Reshape((), dtype="float32", name="value")(x)


def adapt_features(
    model: keras.Model, inputs: Mapping[str, np.ndarray], targets: np.ndarray
) -> None:
    """Adapt the layers that hold statistics of the training data.

    They are `normalization` and `piecewise_linear` for the numeric columns, `scale` for targets.

    Args:
        model: Of a table.
        inputs: The encoded columns by the names of the model's inputs.
        targets: As the loss takes them.
    """
    names = {layer.name for layer in model.layers}
    columns = [column for column in inputs.values() if column.dtype.kind == "f"]
    if columns:  # else there is no layer for them
        table = np.stack(columns, axis=-1)
        if "piecewise_linear" in names:
            model.get_layer("piecewise_linear").adapt(table)
        if "normalization" in names:
            means = np.nan_to_num(np.nanmean(table, axis=0, dtype="float64"))
            squares = np.square(np.where(np.isnan(table), 0, table - means))
            _set_statistics(model.get_layer("normalization"), means, squares.mean(axis=0))
    if "scale" in names:
        targets = targets.astype("float64")
        if "rescaling" in names:
            targets = targets / model.get_layer("rescaling").scale
        targets = np.log(targets) if "exponential" in names else targets
        _set_statistics(model.get_layer("scale"), targets.mean(), targets.var())


def _set_statistics(layer: layers.Normalization, mean: Any, variance: Any) -> None:
    """Set what Keras' `adapt` computes in float32, where the variance of large numbers is lost."""
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(variance)
    layer.finalize_state()
