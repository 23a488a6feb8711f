"""From raw inputs to predictions, and what an explanation of them needs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError
from keras_fm.models.inference import predict
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.images.loading import Photo

PREDICT_BATCH_SIZE = 500


class Predictor(ABC):
    """From raw inputs to predictions."""

    def __init__(self, spec: ModelSpec, data: Any) -> None:
        self.spec = spec
        self.data = data

    @property
    @abstractmethod
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """The name of the model's last layer, and the shape of its output without the batch."""

    @abstractmethod
    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return what `pipeline` returns for raw inputs, a dict each.

        Further arguments are options of the pipeline, such as a generator's `seed`.

        Raises:
            InvalidInputError: An input is none that the model takes.
        """

    def preprocess(self, model: keras.Model, inputs: Any) -> Any:
        """Return raw inputs as the model takes them: an array, or a dict of them by name.

        Further arguments are options, such as a generator's `seed`.

        Raises:
            InvalidInputError: An input is none that the model takes, or the task does not say how.
        """
        raise InvalidInputError(f"{self.spec.task_name} has no preprocessing of its own")

    def raw_outputs(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return a model's outputs for raw inputs, float32 `[inputs, ...]`.

        Raises:
            InvalidInputError: An input is none that the model takes.
        """
        return self.predict(model, self.preprocess(model, inputs))

    def predict(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return a model's outputs for inputs as it takes them, float32 `[examples, ...]`."""
        return predict(model, inputs, PREDICT_BATCH_SIZE, f"predictions of {model.name}")

    def predict_examples(self, model: keras.Model, examples: Examples) -> np.ndarray:
        """Return a model's outputs, or those of its backbone, float32 `[examples, ...]`."""
        return self.predict(model, self.data.encode(examples).inputs)


class ExplainablePredictor(Predictor):
    """A predictor whose predictions `explain` attributes to the features of their inputs."""

    explain_methods: ClassVar[tuple[str, ...]]  # of `explain`, the default one first

    @abstractmethod
    def explained_inputs(self, inputs: Any) -> list["ExplainedInput"]:
        """Return raw inputs as `explain` takes them apart."""

    @abstractmethod
    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """Return predictions from a model's outputs, a dict each."""

    @abstractmethod
    def target_scores(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return the scores `[batch]` of what was predicted, in outputs `[batch, ...]`.

        Args:
            outputs: Of inputs some features of which are occluded.
            prediction: The output for the input itself.
        """

    @abstractmethod
    def target_gradients(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return the gradients of `target_scores` with respect to the outputs `[batch, ...]`."""


@dataclass(frozen=True)
class ExplainedInput:
    """One raw input, and the same with each of its features occluded.

    Attributes:
        inputs: As the model takes them: the input itself, a batch of 1.
        occlusions: Makes the batch of occluded inputs, one for each feature.
        features: Their names; none of an image.
        image: The image as the model sees it, uint8 `[rows, columns, channels]`.
        photo: The image before it was cropped and resized.
        regions: Of an image, the rows and columns that each occlusion covers.
        baseline: Makes the input that says nothing, a batch of 1, where a path to it begins.
    """

    inputs: Any
    occlusions: Callable[[], Any]
    features: tuple[str, ...] = ()
    image: np.ndarray | None = None
    photo: Photo | None = None
    regions: Sequence[tuple[slice, slice]] = ()
    baseline: Callable[[], Any] | None = None
