"""Linear regression on a table: one dense layer on standardized and one-hot columns.

columns -> standardize, one-hot -> dense -> scale -> exp
"""

import keras

from keras_fm.data import Examples, tables
from keras_fm.entry import Target


def build(
    columns: tables.Columns, target: Target | None = None, num_classes: int | None = None
) -> keras.Model:
    """Build the model: one weight for each column and category, and a bias; times the classes.

    Inputs: one for each column, `[batch]`, float32 or the int32 index of a category. Output: the
    quantity `value`, `[batch]`; or `logits`, `[batch, classes]`, float32.

    Args:
        columns: the columns of the table.
        target: what a regression predicts.
        num_classes: the number of classes of a classifier.
    """
    inputs = tables.model_inputs(columns)
    features = tables.standard_numbers(inputs, columns)
    features += tables.one_hot(inputs, columns)
    x = tables.join(features, "embedding")
    return keras.Model(inputs, tables.head(x, target, num_classes), name="linear_regression")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the mean and variance of the numeric columns and of the targets."""
    tables.standardise(model, examples)
