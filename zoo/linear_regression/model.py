"""Linear regression on a table: one dense layer on standardised and one-hot columns.

columns -> normalise, one-hot -> dense -> scale -> exp
"""

import keras
from keras import layers

from keras_fm import tables
from keras_fm.data import Examples
from keras_fm.entry import Target
from keras_fm.layers import FillMissing


def build(columns: tables.Columns, target: Target) -> keras.Model:
    """As many weights as columns and categories, and a bias.

    Inputs: one for each column, `[batch]`, float32 or the int32 place of a category. Output
    `value`: the quantity, `[batch]`, float32.
    """
    inputs = tables.model_inputs(columns)
    x = layers.Normalization(name="normalise")(tables.side_by_side(inputs, columns))
    features = [FillMissing(name="fill_missing")(x)]
    for column in tables.categories(columns):
        places = len(column.values) + 1
        one_hot = layers.CategoryEncoding(places, output_mode="one_hot", name=f"{column.name}_is")
        features.append(one_hot(inputs[column.name]))
    x = layers.Concatenate(name="embedding")(features)
    # From zero: the problem is convex, and what the training never sees stays without a say.
    x = layers.Dense(1, kernel_initializer="zeros", name="standard")(x)
    return keras.Model(inputs, tables.quantity(x, target), name="linear_regression")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Sets mean and variance of the columns of numbers and of the targets."""
    tables.standardise(model, examples)
