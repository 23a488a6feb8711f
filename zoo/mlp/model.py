"""Ensembles of multilayer perceptrons for tables.

Of the zoo's own data, sixteen members that share their layers: TabM-mini (arXiv:2410.24210).
columns -> piecewise linear encoding or category -> embed -> concatenate -> members
-> 3 x [dense, relu] -> mean

Of a user's own, members without a weight in common, each trained on other folds of the rows:
columns -> [number, piecewise linear encoding] or one-hot category -> concatenate
-> 2 x [member's dense, silu, dropout] -> concatenate with a linear model's output -> dense -> mean
"""

import keras
from keras import layers

from keras_fm.data.examples import Examples
from keras_fm.layers import PiecewiseLinearEncoding, tabular_blocks
from keras_fm.layers.initializers import Rademacher
from keras_fm.models.linear_models import fit_members
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
    folds: int = 0,
) -> keras.Model:
    """Build the model: all members share the hidden layers.

    Each member has its own scale of the inputs, of random signs at first, and its own output layer.
    With `folds`, members share nothing, and have a size of their own: see `_separate_members`.

    Inputs: one for each column, `[batch]`, float32 or the int32 index of a category; of dates and
    texts, see `tabular_blocks.model_inputs`. Output: the quantity `value`, `[batch]`; or
    `logits`, `[batch, classes]`, float32.

    Args:
        columns: The columns of the table.
        target: What a regression predicts.
        num_classes: The number of classes of a classifier.
        members: The number of members of the ensemble.
        width: The units of each hidden layer.
        depth: The number of hidden layers.
        embedding_width: The width of the embedding of a column.
        bins: The bins of the piecewise linear encoding of a numeric column.
        folds: How many members there are of those that learn from all folds but one; 0 for none.
    """
    if folds:
        return _separate_members(columns, target, num_classes, folds)
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
    features += tabular_blocks.hashed_words(inputs, columns)
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


def _separate_members(
    columns: Columns,
    target: Target | None,
    num_classes: int | None,
    members: int,
    *,
    width: int = 128,
    depth: int = 2,
    max_bins: int = 16,
    max_encoded: int = 512,
    dropout: float = 0.15,
) -> keras.Model:
    """Build an ensemble whose members share nothing, so that none knows another's rows.

    A member begins as a linear model, which `adapt` solves for, and learns what that leaves: few
    rows often allow no more.
    """
    inputs = tabular_blocks.model_inputs(columns)
    numbers = tabular_blocks.numeric_features(inputs, columns)
    categories = tabular_blocks.one_hot(inputs, columns)
    categories += tabular_blocks.hashed_words(inputs, columns)
    standardized = [tabular_blocks.standardized(numeric) for numeric in numbers]
    linear = tabular_blocks.concatenate([*standardized, *categories], "linear_features")
    encoded = [tabular_blocks.clipped(numeric) for numeric in numbers]
    encoded += [
        layers.Flatten(name="numeric_flatten")(
            PiecewiseLinearEncoding(
                # Fewer of each column where there are many: the first layer is the price of a row.
                max(2, min(max_bins, max_encoded // numeric.shape[-1])),
                dtype="float32",
                name="piecewise_linear",
            )(numeric)
        )
        for numeric in numbers
    ]
    x = tabular_blocks.concatenate([*encoded, *categories], "features")
    for number in range(1, depth + 1):
        x = layers.EinsumDense(
            "bi,mio->bmo" if number == 1 else "bmi,mio->bmo",
            (members, width),
            bias_axes="mo",
            activation="silu",
            # Keras counts the members among a kernel's inputs.
            kernel_initializer=keras.initializers.VarianceScaling(2.0 * members),
            name=f"dense{number}",
        )(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    x = layers.Concatenate(name="with_linear")(
        [x, tabular_blocks.linear_members(linear, num_classes, members)]
    )
    x = layers.Flatten(name="embedding")(x)
    outputs = tabular_blocks.separate_members_head(x, target, num_classes, members)
    return keras.Model(inputs, outputs, name="mlp")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the bin edges to quantiles of the columns, and the mean and variance of the targets.

    Of members that leave folds out, it solves for the linear models.
    """
    tabular_blocks.adapt_features(model, examples.inputs, examples.targets)
    if examples.folds is not None:
        fit_members(model, examples)
