"""Images and their classes."""

from typing import Any

import numpy as np

from keras_fm.data.augmentation import AugmentedImages
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user.images import fit_images, read_user_images
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.classification import ClassificationData
from keras_fm.tasks.image_data import check_images


class ImageData(ClassificationData):
    """Examples are uint8 images `[examples, rows, columns, channels]`."""

    # Beyer et al. 2022 (arXiv:2106.05237): else it teaches what is no longer in the image.
    teacher_sees_batches = True

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
        return self.infer_classes(read_user_images(user_data), self._fit, user_data, seed)

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load images of any size, of the model's own classes."""
        return self.encode_classes(read_user_images(user_data), self._fit)

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
        return fit_images(raw, self.shape)
