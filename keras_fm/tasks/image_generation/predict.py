"""Images of labels and seeds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.options import check_int
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.tasks.base import Predictor
from keras_fm.tasks.image_generation.codec import MAX_SEED, check_label
from keras_fm.tasks.image_generation.data import sample_latents


@functools.cache
def _latent_sampler(latent_dim: int) -> Any:
    """Return `sample_latents` as a graph: run eagerly, the loop over 100 seeds takes a second."""
    sampler = tf.function(functools.partial(sample_latents, latent_dim=latent_dim))
    return sampler.get_concrete_function(tf.TensorSpec((None,), tf.int64))


def _sample_latents(seeds: Any, latent_dim: int) -> tf.Tensor:
    return _latent_sampler(latent_dim)(tf.constant(seeds, tf.int64))


def _to_uint8(images: np.ndarray) -> np.ndarray:
    """Round images 0..255, as `data.to_uint8` does in a graph."""
    return images.clip(0.0, 255.0).round().astype("uint8")


class GeneratorPredictor(Predictor):
    """Takes labels."""

    @property
    def output_spec(self) -> tuple[str, tuple[int, ...]]:
        """The image."""
        output = self.spec.entry.output
        assert output is not None  # the schema of the entry sees to it
        return output.name, self.data.shape

    def generate(self, model: keras.Model, labels: np.ndarray) -> np.ndarray:
        """Return uint8 images `[labels, rows, columns, channels]` of indices of labels."""
        return _to_uint8(self.predict(model, self.data.generator_inputs(labels)))

    def generate_from_seeds(
        self, model: keras.Model, labels: Sequence[int], seeds: Sequence[int]
    ) -> np.ndarray:
        """Return the same, each image of a seed of its own."""
        return _to_uint8(self.predict(model, self._latents(labels, seeds)))

    def preprocess(
        self, model: keras.Model, inputs: Any, *, seed: int = 0
    ) -> dict[str, np.ndarray]:
        """Return `latent`, float32 `[labels, width]`, and `label`, int32 `[labels]`.

        Args:
            model: The model.
            inputs: A label or several.
            seed: Of the first latent; each next one has the next.
        """
        labels, seeds = self._labels_and_seeds(model, inputs, seed)
        return self._latents([self.spec.labels.index(label) for label in labels], seeds)

    def predict_raw(
        self, model: keras.Model, inputs: Any, *, seed: int = 0
    ) -> list[dict[str, Any]]:
        """Return `image`, uint8 `[rows, columns, channels]`, with its `label` and its `seed`.

        Args:
            model: The model.
            inputs: A label or several, one for each image.
            seed: Of the first image; each next one has the next. The same label and seed are the
                same image, here and in an export.
        """
        labels, seeds = self._labels_and_seeds(model, inputs, seed)
        indices = [self.spec.labels.index(label) for label in labels]
        images = self.generate_from_seeds(model, indices, seeds)
        return [
            {"label": label, "seed": image_seed, "image": image}
            for label, image_seed, image in zip(labels, seeds, images, strict=True)
        ]

    def _latents(self, labels: Sequence[int], seeds: Sequence[int]) -> dict[str, np.ndarray]:
        latents = _sample_latents(seeds, self.data.latent_dim).numpy()
        return {"latent": latents, "label": np.asarray(labels, "int32")}

    def _labels_and_seeds(
        self, model: keras.Model, inputs: Any, seed: int
    ) -> tuple[list[str], list[int]]:
        labels = [text.decode("utf-8", "replace") for text in read_texts(inputs)]
        for label in labels:
            check_label(model.name, label, self.spec.labels)
        seed = check_int("seed", seed, 0, MAX_SEED)
        return labels, list(range(seed, seed + len(labels)))
