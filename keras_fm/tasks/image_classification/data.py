"""Images and their classes."""

from typing import Any

import numpy as np

from keras_fm.data import user_data as user_data_module
from keras_fm.data import user_images
from keras_fm.data.augmentation import AugmentedImages
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes, RawExamples, UserData
from keras_fm.errors import InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.classification import ClassificationData
from keras_fm.tasks.image_data import check_images


class ImageData(ClassificationData):
    """Examples are uint8 images `[examples, rows, columns, channels]`."""

    @property
    def shape(self) -> list[int]:
        """Rows, columns and channels of the model's images."""
        return self.spec.inputs[0].sizes

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where the examples are not such images with such labels."""
        check_images(examples, self.shape)
        self.validate_labels(examples)

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load images of any size, and infer their classes."""
        return self.infer_classes(_read(user_data), self._fit, user_data, seed)

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load images of any size, of the model's own classes."""
        return self.encode_classes(_read(user_data), self._fit)

    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return batches of (uint8 images, one-hot labels), augmented by the recipe."""
        return AugmentedImages(examples.inputs, self.targets(examples), recipe=recipe, seed=seed)

    def sample_images(self, count: int) -> np.ndarray:
        """Return some bundled images; noise, which shows a deviation as well, without a sample."""
        images = self.sample_inputs(count)
        if images is not None:
            return images
        random = np.random.default_rng(0)
        return random.integers(0, 256, (count, *self.shape), dtype=np.uint8)

    def _fit(self, raw: RawExamples) -> tuple[np.ndarray, np.ndarray]:
        return user_images.fit_images(raw, self.shape)


def _read(user_data: UserData) -> RawExamples:
    options = (user_data.text, user_data.target, user_data.problem_type)
    if any(option is not None for option in options):
        raise InvalidInputError(
            "text, target and problem_type are for a CSV file or a table; images have none"
        )
    path = user_data.path
    if path is None:
        return user_data_module.read_arrays(user_data, rank=3)
    return user_images.read_folder(path)
