"""How classifiers of images are evaluated."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.tasks.classification import ClassificationObjective


class ImageObjective(ClassificationObjective):
    """Adds the accuracy by test-time augmentation, and slices by brightness."""

    @property
    def slices(self) -> tuple[str, ...]:
        """The class, and the mean of the pixels."""
        return (*super().slices, "brightness")

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return the mean of each image's pixels, 0..255, or see the base class."""
        if slice_by == "brightness":
            return examples.inputs.mean(axis=(1, 2, 3)).round(1)
        return super().slice_values(outputs, examples, slice_by)

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return `accuracy`, `cross_entropy` (nats), and `accuracy_tta`.

        The latter averages the logits of each image and of its mirror image.
        """
        scores = super().metrics(model, examples, outputs)
        mirrored = self.predictor.predict(model, examples.inputs[:, :, ::-1])
        scores["accuracy_tta"] = self.score(outputs + mirrored, examples)["accuracy"]
        return scores
