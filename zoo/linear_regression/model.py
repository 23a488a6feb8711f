"""Linear regression on a table: one dense layer on standardized and one-hot columns.

columns -> standardize, one-hot -> dense -> scale -> exp
"""

import keras

from keras_fm.data.examples import Examples
from keras_fm.layers import tabular_blocks
from keras_fm.preprocessing.tables.columns import Columns
from keras_fm.registry.entry import Target


def build(
    columns: Columns, target: Target | None = None, num_classes: int | None = None
) -> keras.Model:
    """Build the model: one weight for each column and category, and a bias; times the classes.

    Inputs: one for each column, `[batch]`, float32 or the int32 index of a category; of dates and
    texts, see `tabular_blocks.model_inputs`. Output: the quantity `value`, `[batch]`; or
    `logits`, `[batch, classes]`, float32.

    Args:
        columns: The columns of the table.
        target: What a regression predicts.
        num_classes: The number of classes of a classifier.
    """
    inputs = tabular_blocks.model_inputs(columns)
    features = tabular_blocks.standardized_features(inputs, columns)
    features += tabular_blocks.one_hot(inputs, columns)
    features += tabular_blocks.hashed_words(inputs, columns)
    x = tabular_blocks.concatenate(features, "embedding")
    return keras.Model(
        inputs, tabular_blocks.head(x, target, num_classes), name="linear_regression"
    )


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the mean and variance of the numeric columns and of the targets."""
    tabular_blocks.adapt_features(model, examples.inputs, examples.targets)
