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
        metadata: Columns of what is known of each point, by name.
    """

    vectors: np.ndarray
    metadata: dict[str, list[str]]


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

    def card_images(self, model: keras.Model) -> Images:
        """Return images for the card of a released model."""
        return {}

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints | None:
        """Return embeddings of some examples for TensorBoard's projector."""
        return None
