"""Ensemble of sixteen multilayer perceptrons for tables: TabM-mini (arXiv:2410.24210).

columns -> piecewise linear encoding or category -> embed -> concatenate -> members
-> 3 x [dense, relu] -> mean
"""

import keras
from keras import layers

from keras_fm.data.examples import Examples
from keras_fm.layers import PiecewiseLinearEncoding, tabular_blocks
from keras_fm.layers.initializers import Rademacher
from keras_fm.preprocessing.tables.columns import (
    EMBEDDING_NAME,
    Columns,
    categorical_columns,
    input_names,
    plain_names,
    unique_name,
)
from keras_fm.registry.entry import Target


def build(
    columns: Columns,
    target: Target | None = None,
    num_classes: int | None = None,
    *,
    members: int = 16,
    width: int = 384,
    depth: int = 3,
    embedding_width: int = 16,
    bins: int = 128,
) -> keras.Model:
    """Build the model: all members share the hidden layers.

    Each member has its own scale of the inputs, of random signs at first, and its own output layer.

    Inputs: one for each column, `[batch]`, float32 or the int32 index of a category. Output: the
    quantity `value`, `[batch]`; or `logits`, `[batch, classes]`, float32.

    Args:
        columns: The columns of the table.
        target: What a regression predicts.
        num_classes: The number of classes of a classifier.
        members: The number of members of the ensemble.
        width: The units of each hidden layer.
        depth: The number of hidden layers.
        embedding_width: The width of the embedding of a column.
        bins: The bins of the piecewise linear encoding of a numeric column.
    """
    inputs = tabular_blocks.model_inputs(columns)
    features = []
    for numeric in tabular_blocks.numeric_features(inputs, columns):
        x = PiecewiseLinearEncoding(bins, dtype="float32", name="piecewise_linear")(numeric)
        x = layers.EinsumDense(
            "bcn,cnw->bcw",
            (numeric.shape[-1], embedding_width),
            bias_axes="cw",
            activation="relu",
            name="numeric_embedding",
        )(x)
        features.append(layers.Flatten(name="numeric_flatten")(x))
    used = ["numeric_embedding"] if features else []
    plain, names = plain_names(columns), input_names(columns)
    for column in categorical_columns(columns):
        name = unique_name(EMBEDDING_NAME.format(plain[column.name]), used)
        embedding = layers.Embedding(1 + len(column.categories), embedding_width, name=name)
        features.append(embedding(inputs[names[column.name]]))
    x = tabular_blocks.concatenate(features, "features")
    x = layers.EinsumDense(
        "bi,mi->bmi",
        (members, x.shape[-1]),
        kernel_initializer=Rademacher(),
        name="member_inputs",
    )(x)
    for number in range(1, depth + 1):
        # No dropout: without it at inference a regression's predictions are too low on average.
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    x = layers.Flatten(name="embedding")(x)
    outputs = tabular_blocks.ensemble_head(x, target, num_classes, members)
    return keras.Model(inputs, outputs, name="mlp")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the bin edges to quantiles of the columns, and the mean and variance of the targets."""
    tabular_blocks.adapt_features(model, examples.inputs, examples.targets)
