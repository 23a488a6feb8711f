"""The signatures of an exported classifier of rows."""

from pathlib import Path

import keras

from keras_fm.tasks.base import Serving, Signatures
from keras_fm.tasks.classification import ClassOutputs
from keras_fm.tasks.tabular_serving import tabular_signatures


class RowServing(Serving):
    """Columns."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return two signatures, each column by its sanitized name, `[batch]`.

        serving_default: -> `probabilities`, `logits` `[batch, classes]`, `label` `[batch]`.
        features: -> `embedding` `[batch, width]`.
        """
        class_outputs = ClassOutputs(self.spec, folder)
        signatures = tabular_signatures(self.data, model, class_outputs)
        return Signatures(signatures.by_name, [*signatures.resources, class_outputs.lookup_table])
