"""Images, their classes, and the latents that images are generated from."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_fm import registry
from keras_fm.data.augmentation import AugmentedImages
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.lazy_imports import tf
from keras_fm.tasks.base import TaskData
from keras_fm.tasks.classification import check_labels
from keras_fm.tasks.image_data import check_images


class GeneratorData(TaskData):
    """Examples are uint8 images `[examples, rows, columns, channels]` and their labels."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and channels of an image."""
        output = self.spec.entry.output
        assert output is not None  # the schema of the entry sees to it
        return tuple(output.sizes)

    @property
    def latent_dim(self) -> int:
        """The width of a latent."""
        (latent,) = (
            model_input for model_input in self.spec.inputs if model_input.name == "latent"
        )
        return latent.sizes[0]

    def check(self, examples: Examples) -> None:
        """Check also that the evaluator can be had: before an hour's training, not after it."""
        super().check(examples)
        registry.weights_of(str(self.spec.entry.evaluator))

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where the examples are not such images with such labels."""
        check_images(examples, self.shape)
        check_labels(examples, len(self.spec.labels))

    def encode(self, examples: Examples) -> Examples:
        """Return the generator's inputs for as many images of the same labels."""
        inputs = self.generator_inputs(examples.targets)
        return Examples(inputs, examples.targets, examples.description)

    def generator_inputs(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Return latents and labels, the same at each call."""
        random = np.random.default_rng(0)
        latent = random.standard_normal((len(labels), self.latent_dim), "float32")
        return {"latent": latent, "label": np.asarray(labels, "int32")}

    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return batches of ({`image`, `latent`}, labels), augmented by the recipe."""
        labels = np.asarray(examples.targets, "int32")
        return GANBatches(
            examples.inputs, labels, recipe=recipe, seed=seed, latent_dim=self.latent_dim
        )

    def validation_dataset(self, examples: Examples) -> None:
        """Return None: a loss on other images does not say how good the generated ones are."""


class GANBatches(AugmentedImages):
    """Batches of ({`image`: uint8 images, `latent`: `[batch, latent_dim]`}, labels)."""

    allows_short_batch = False  # batch normalization and two losses against each other need it full

    def __init__(self, *arrays: np.ndarray, latent_dim: int, **options: Any) -> None:
        super().__init__(*arrays, **options)
        self.latent_dim = latent_dim

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Return the images at these indices, augmented, and as many new latents."""
        image = super().inputs_for(indices, rng)
        latent = rng.standard_normal((len(indices), self.latent_dim), "float32")
        return {"image": image, "latent": latent}

    def inputs_spec(self) -> Any:
        """Return the `tf.TensorSpec` of both."""
        latent = tf.TensorSpec((None, self.latent_dim), tf.float32)
        return {"image": super().inputs_spec(), "latent": latent}


def sample_latents(seeds: Any, latent_dim: int) -> tf.Tensor:
    """Return a standard normal latent of each seed alone, `[seeds, latent_dim]`, on any machine.

    Args:
        seeds: Whole numbers `[seeds]`.
        latent_dim: The width of a latent.
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal((latent_dim,), tf.stack([seed, 0]), alg="philox"),
        tf.cast(seeds, tf.int64),
        fn_output_signature=tf.TensorSpec((latent_dim,), tf.float32),
    )


def to_uint8(images: Any) -> tf.Tensor:
    """Round images 0..255."""
    return tf.cast(tf.round(tf.clip_by_value(images, 0.0, 255.0)), tf.uint8)
