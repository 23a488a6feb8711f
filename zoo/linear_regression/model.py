"""Linear regression on a table: one dense layer on standardised and one-hot columns.

columns -> normalise, one-hot -> dense -> scale -> exp
"""

import keras

from keras_fm.data.examples import Examples
from keras_fm.layers import tabular_blocks
from keras_fm.preprocessing import tables
from keras_fm.registry.entry import Target


def build(
    columns: tables.Columns, target: Target | None = None, num_classes: int | None = None
) -> keras.Model:
    """As many weights as columns and categories, and a bias; for each class where there are some.

    Inputs: one for each column, `[batch]`, float32 or the int32 place of a category. Output: the
    quantity `value`, `[batch]`; or `logits`, `[batch, classes]`, float32.
    """
    inputs = tabular_blocks.model_inputs(columns)
    features = tabular_blocks.standardized_features(inputs, columns)
    features += tabular_blocks.one_hot(inputs, columns)
    x = tabular_blocks.concatenate(features, "embedding")
    return keras.Model(
        inputs, tabular_blocks.head(x, target, num_classes), name="linear_regression"
    )


def adapt(model: keras.Model, examples: Examples) -> None:
    """Sets mean and variance of the columns of numbers and of the targets."""
    tabular_blocks.adapt_features(model, examples.inputs, examples.targets)
