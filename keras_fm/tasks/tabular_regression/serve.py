"""The signatures of an exported regression."""

from pathlib import Path

import keras

from keras_fm.lazy_imports import tf
from keras_fm.tasks.base import Serving, Signatures
from keras_fm.tasks.tabular_serving import tabular_signatures


class RegressionServing(Serving):
    """Columns."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return two signatures, each column by its sanitized name, `[batch]`.

        serving_default: -> `value`, float32 `[batch]`.
        features: -> `embedding` `[batch, width]`.
        """
        return tabular_signatures(
            self.data, model, lambda value: {"value": tf.cast(value, tf.float32)}
        )
