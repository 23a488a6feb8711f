"""From raw inputs to labelled answers, in one call."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_fm import images, models, runs


def pipeline(name_or_model: str | keras.Model) -> "ImageClassifier":
    """A callable from raw inputs to labelled answers.

    Args:
        name_or_model: a model's name, a run directory, or a model from `get`, `train`, `fine_tune`.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """
    return ImageClassifier(runs.as_model(name_or_model))


@dataclass(frozen=True)
class ImageClassifier:
    """Classifies images: paths, the bytes of files, or arrays 0..255, of any size."""

    model: keras.Model
    batch_size: int = 256

    def __call__(self, inputs: Any) -> list[dict[str, Any]]:
        """One dict an image: `label`, and `probabilities` by label.

        Raises:
            InvalidInputError: nothing was given, or something is not an image.
        """
        labels = models.identify(self.model).labels
        _, height, width, _ = self.model.input_shape
        batch = images.read_batch(inputs, height, width)
        logits = self.model.predict(batch, batch_size=self.batch_size, verbose=0)
        return [
            {
                "label": labels[row.argmax()],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in softmax(logits)
        ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities from logits `[batch, classes]`."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
