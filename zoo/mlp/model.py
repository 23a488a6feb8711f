"""A multilayer perceptron for tables, sixteen of them in one: TabM-mini (arXiv:2410.24210).

columns -> bins or category -> embed -> join -> members -> 3 x [dense, relu] -> mean
"""

import keras
from keras import layers

from keras_fm.data.examples import Examples
from keras_fm.layers import PiecewiseLinear, tabular_blocks
from keras_fm.layers.initializers import RandomSigns
from keras_fm.preprocessing import tables
from keras_fm.registry.entry import Target


def build(
    columns: tables.Columns,
    target: Target | None = None,
    num_classes: int | None = None,
    *,
    members: int = 16,
    width: int = 384,
    depth: int = 3,
    embedding_width: int = 16,
    bins: int = 128,
) -> keras.Model:
    """All members share the layers; each has its own signs on the inputs and its own last layer.

    Inputs: one for each column, `[batch]`, float32 or the int32 place of a category. Output: the
    quantity `value`, `[batch]`; or `logits`, `[batch, classes]`, float32.
    """
    inputs = tabular_blocks.model_inputs(columns)
    features = []
    for numbers in tabular_blocks.numeric_features(inputs, columns):
        x = PiecewiseLinear(bins, dtype="float32", name="bins")(numbers)
        x = layers.EinsumDense(
            "bcn,cnw->bcw",
            (numbers.shape[-1], embedding_width),
            bias_axes="cw",
            activation="relu",
            name="embed_numbers",
        )(x)
        features.append(layers.Flatten(name="embedded_numbers")(x))
    taken = ["embed_numbers"] if features else []
    plain, names = tables.sanitized_names(columns), tables.input_names(columns)
    for column in tables.categorical_columns(columns):
        name = tables.unique_name(tables.EMBEDDING_NAME.format(plain[column.name]), taken)
        embed = layers.Embedding(1 + len(column.values), embedding_width, name=name)
        features.append(embed(inputs[names[column.name]]))
    x = tabular_blocks.concatenate(features, "features")
    x = layers.EinsumDense(
        "bi,mi->bmi",
        (members, x.shape[-1]),
        kernel_initializer=RandomSigns(),
        name="to_members",
    )(x)
    for number in range(1, depth + 1):
        # No dropout: without it at inference a regression answers too little on the average.
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    x = layers.Flatten(name="embedding")(x)
    outputs = tabular_blocks.ensemble_head(x, target, num_classes, members)
    return keras.Model(inputs, outputs, name="mlp")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Lays the bins at the quantiles of the columns; sets mean and variance of the targets."""
    tabular_blocks.adapt_features(model, examples.inputs, examples.targets)
