"""Predictions for raw images."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_fm.preprocessing.images.loading import load_images, load_photos
from keras_fm.tasks.base import ExplainedInput
from keras_fm.tasks.classification import ClassificationPredictor

OCCLUSION_GRID = 8  # an image is occluded by squares of two steps a side, so many steps each way


class ImagePredictor(ClassificationPredictor):
    """Takes paths, addresses, bytes of files, images of Pillow, or arrays 0..255 of any size."""

    explain_methods = ("grad_cam", "occlusion", "integrated_gradients")

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return `label` and `probabilities` of images: one or several."""
        return self.predictions(self.raw_outputs(model, inputs))

    def preprocess(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return images, float32 `[images, height, width, channels]`, 0..255."""
        return load_images(inputs, *self.data.shape)

    def explained_inputs(self, inputs: Any) -> list[ExplainedInput]:
        """Return images, and the same with a square in their mean color.

        Source: Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks"
        (arXiv:1311.2901).
        """
        explained = []
        images, photos = load_photos(inputs, *self.data.shape)
        for image, photo in zip(images, photos, strict=True):
            regions = occlusion_regions(image)
            explained.append(
                ExplainedInput(
                    image[None],
                    partial(_occluded, image, regions),
                    image=image.round().astype("uint8"),
                    photo=photo,
                    regions=regions,
                    baseline=partial(np.zeros_like, image[None]),  # black
                )
            )
        return explained


def occlusion_regions(image: np.ndarray) -> list[tuple[slice, slice]]:
    """Return the rows and columns of the squares that occlude an image, half overlapping."""
    rows, columns = image.shape[:2]
    row_step, column_step = (max(1, side // OCCLUSION_GRID) for side in (rows, columns))
    return [
        (slice(top, top + 2 * row_step), slice(left, left + 2 * column_step))
        for top in range(0, rows - row_step, row_step)
        for left in range(0, columns - column_step, column_step)
    ]


def _occluded(image: np.ndarray, regions: Sequence[tuple[slice, slice]]) -> np.ndarray:
    """Return copies of an image, `[regions, ...]`, each with a region in the mean color."""
    copies = np.stack([image] * len(regions))
    for copy, region in zip(copies, regions, strict=True):
        copy[region] = image.mean(axis=(0, 1))
    return copies
