"""Shuffled training batches: a pure function of (seed, epoch, step).

So a training that is resumed at an epoch sees the batches that it would have seen anyway.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import examples
from keras_fm.registry.recipe import Recipe

# Independent random streams of one seed. A weights file can be trained again as long as they stay.
SHUFFLE_STREAM, FLIP_STREAM, BATCH_STREAM = range(3)


class Batches:
    """Batches of (inputs, targets).

    All examples are visited once, in an order, before they are visited in another one; a last batch
    that is not full is left out. It takes as many epochs as the recipe has `parts`.

    `fit` takes `stream()`; set `epoch` before each epoch, for `fit` itself tells its data nothing.
    """

    def __init__(
        self, inputs: examples.Inputs, targets: np.ndarray, *, recipe: Recipe, seed: int
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.recipe = recipe
        self.seed = seed
        self.epoch = 0
        self.count = len(targets)  # of the examples in an epoch
        self.batch_size = min(recipe.batch_size, self.count)

    def __len__(self) -> int:
        return self.count // self.batch_size // self.recipe.parts

    def __getitem__(self, step: int) -> tuple[Any, np.ndarray]:
        visit, part = divmod(self.epoch, self.recipe.parts)
        order = self.order(np.random.default_rng((self.seed, SHUFFLE_STREAM, visit)))
        first = (part * len(self) + step) * self.batch_size
        random = np.random.default_rng((self.seed, BATCH_STREAM, self.epoch, step))
        return self.pair(order[first : first + self.batch_size], random)

    def order(self, random: np.random.Generator) -> np.ndarray:
        """Which examples are visited, in which order."""
        return random.permutation(self.count)

    def pair(self, chosen: np.ndarray, random: np.random.Generator) -> tuple[Any, np.ndarray]:
        """The inputs and targets of the examples `chosen`."""
        return self.make(chosen, random), self.targets[chosen]

    def make(self, chosen: np.ndarray, random: np.random.Generator) -> Any:
        """The inputs of the examples `chosen`; a subclass augments them."""
        return examples.take_rows(self.inputs, chosen)

    def signature(self) -> Any:
        """The `tf.TensorSpec` of one batch of inputs."""
        return keras.tree.map_structure(_any_batch, self.inputs)

    def targets_signature(self) -> tf.TensorSpec:
        """The `tf.TensorSpec` of one batch of targets."""
        return _any_batch(self.targets)

    def stream(self) -> tf.data.Dataset:
        """One epoch of batches, made on a thread beside the training.

        A `PyDataset` would not do: Keras takes the shapes of its first batches for those of all.
        """
        signature = self.signature(), self.targets_signature()
        return dataset_from_function(self.__getitem__, len(self), signature).prefetch(4)


def dataset_from_function(
    make: Callable[[int], Any], count: int, signature: Any
) -> tf.data.Dataset:
    """So many batches, `make(0)` first, of shapes that need not be alike.

    Args:
        signature: the `tf.TensorSpec` of each part of a batch.
    """
    batches = tf.data.Dataset.from_generator(
        lambda: map(make, range(count)), output_signature=signature
    )
    return batches.apply(tf.data.experimental.assert_cardinality(count))


def dataset_from_arrays(*arrays: Any, size: int) -> tf.data.Dataset:
    """Batches of so many examples in their order: inputs, targets, and a weight where given."""
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def _any_batch(array: np.ndarray) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


# Random numbers that a layer can draw in an epoch before it would meet those of the next.
RNG_STEPS_PER_EPOCH = 2**20


class SetEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch begins, also when `fit` goes on from a checkpoint.

    And the layers that draw, such as dropout: Keras' checkpoint does not hold how far they are.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch
        for variable in self.model.non_trainable_variables:
            if variable.path.endswith("seed_generator_state"):
                seed, _ = keras.ops.convert_to_numpy(variable)
                variable.assign(np.array([seed, epoch * RNG_STEPS_PER_EPOCH]))
