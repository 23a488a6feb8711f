"""Augmentation of images and tables in numpy: a few milliseconds for 512 images on one core.

It runs beside the training on any Keras backend.
"""

from functools import cache, cached_property
from typing import Any

import numpy as np

from keras_fm.data.batches import FLIP_STREAM, Batches
from keras_fm.lazy_imports import tf


class AugmentedImages(Batches):
    """Batches of (uint8 images, targets), augmented as the recipe says."""

    @cached_property
    def mean_color(self) -> np.ndarray:
        """Mean of all images by channel, uint8 `[channels]`."""
        return self.inputs.mean(axis=(0, 1, 2)).round().astype("uint8")

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Make the augmented images at `indices`, uint8 `[batch, size, size, channels]`."""
        images = self._flip(self.inputs[indices], indices, rng)
        if self.recipe.random_translation:
            images = random_translation(images, self.recipe.random_translation, rng)
        if self.recipe.cutout:
            cutout(images, self.recipe.cutout, self.mean_color, rng)
        size = self.recipe.image_size(self.epoch)
        if size not in (None, images.shape[1]):
            images = resize(images, size)
        return images

    def inputs_spec(self) -> Any:
        """Return the spec of the images; the size is open where the recipe has several."""
        if not self.recipe.image_sizes:
            return super().inputs_spec()
        return tf.TensorSpec((None, None, None, self.inputs.shape[-1]), tf.uint8)

    def _flip(
        self, images: np.ndarray, indices: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if self.recipe.flip == "none":
            return images
        if self.recipe.flip == "random":
            flipped = rng.random(len(images)) < 0.5
        else:  # alternating: any two consecutive epochs show an image both ways (airbench)
            flip_rng = np.random.default_rng((self.seed, FLIP_STREAM))
            flipped_in_even_epochs = flip_rng.random(len(self.inputs)) < 0.5
            flipped = flipped_in_even_epochs[indices] ^ (self.epoch % 2 == 1)
        images[flipped] = images[flipped, :, ::-1]
        return images


class TabularBatches(Batches):
    """Batches of a table's encoded columns with cell dropout, as the recipe says.

    A dropped number is NaN, a dropped category 0: so the model learns what to predict where a cell
    is missing or has a category that it never saw.
    """

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make the columns of the rows at `indices`, each `[batch]`."""
        columns: dict[str, Any] = super().inputs_for(indices, rng)
        if not self.recipe.cell_dropout:
            return columns
        return {
            name: np.where(
                # A date of several numbers is dropped as one cell.
                (rng.random(len(indices)) < self.recipe.cell_dropout).reshape(
                    -1, *[1] * (column.ndim - 1)
                ),
                column.dtype.type(np.nan if column.dtype.kind == "f" else 0),
                column,
            )
            for name, column in columns.items()
        }


def random_translation(images: np.ndarray, max_pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Shift each image by up to `max_pixels` in both directions, with a reflected border."""
    count, height, width, _ = images.shape
    pad = (max_pixels, max_pixels)
    padded = np.pad(images, ((0, 0), pad, pad, (0, 0)), mode="reflect")
    tops, lefts = rng.integers(0, 2 * max_pixels + 1, size=(2, count))
    shifted = np.empty_like(images)
    # A loop of block copies: three times as fast here as one gather over strided windows.
    for index, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        shifted[index] = padded[index, top : top + height, left : left + width]
    return shifted


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 images to `[batch, size, size, channels]`, uint8: bilinear, antialiased.

    The same as `tf.image.resize(images, (size, size), antialias=True)`, rounded.
    """
    count, height, width, channels = images.shape
    rows, columns = _resize_matrix(height, size), _resize_matrix(width, size)
    x = rows @ images.reshape(count, height, width * channels).astype("float32")
    x = columns @ x.reshape(count * size, width, channels)
    return x.round().astype("uint8").reshape(count, size, size, channels)


@cache
def _resize_matrix(old_size: int, new_size: int) -> np.ndarray:
    """Return the share of each old pixel in each new one, float32 `[new_size, old_size]`."""
    scale = old_size / new_size
    centers = (np.arange(new_size) + 0.5) * scale
    distances = np.abs(np.arange(old_size) + 0.5 - centers[:, None])
    shares = np.maximum(0.0, 1.0 - distances / max(scale, 1.0))
    return (shares / shares.sum(axis=1, keepdims=True)).astype("float32")


def cutout(images: np.ndarray, size: int, fill: np.ndarray, rng: np.random.Generator) -> None:
    """Fill a random square of `size` pixels of each image, in place.

    Its center can be at the border. Source: DeVries and Taylor 2017, "Improved Regularization of
    Convolutional Neural Networks with Cutout".
    """
    count, height, width, _ = images.shape
    half = size // 2
    tops = rng.integers(-half, height - half, count)
    lefts = rng.integers(-half, width - half, count)
    for image, top, left in zip(images, tops, lefts, strict=True):
        image[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = fill
