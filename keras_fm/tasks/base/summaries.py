"""What TensorBoard and the model cards show of a task."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.models.spec import ModelSpec

Images = dict[str, np.ndarray]  # uint8 `[rows, columns, channels]`, by name


@dataclass(frozen=True)
class ProjectorPoints:
    """Points for TensorBoard's projector.

    Attributes:
        vectors: `[points, width]`.
        metadata: Columns of what is known of each point, by name; two at least.
        images: That are drawn at the points, uint8 `[points, height, width, channels]`; or None.
    """

    vectors: np.ndarray
    metadata: dict[str, list[str]]
    images: np.ndarray | None = None


class Summaries:
    """Images, texts and points. All are empty by default."""

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    def input_images(self, batches: Batches) -> Images:
        """Return images of what a training sees."""
        return {}

    def epoch_images(self, model: keras.Model) -> Images:
        """Return images that the model in training generates, after each epoch."""
        return {}

    def epoch_texts(self, model: keras.Model) -> dict[str, str]:
        """Return texts that the model in training generates, after each epoch."""
        return {}

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return images of the trained model's outputs."""
        return {}

    def result_texts(self, outputs: np.ndarray, examples: Examples) -> dict[str, str]:
        """Return texts in Markdown on the trained model's outputs."""
        return {}

    def binary_scores(
        self, outputs: np.ndarray, examples: Examples
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return what is a positive and its probability, `[examples]` both, by curve."""
        return {}

    def card_images(self, model: keras.Model) -> Images:
        """Return images for the card of a released model."""
        return {}

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints | None:
        """Return embeddings of some examples for TensorBoard's projector."""
        return None
