"""Shuffled training batches: a pure function of (seed, epoch, step).

So a training that is resumed at an epoch sees the same batches as one that was never interrupted.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import examples
from keras_fm.registry.recipe import Recipe

# Independent random streams of one seed. Changing them changes the weights that a recipe trains.
SHUFFLE_STREAM, FLIP_STREAM, BATCH_STREAM = range(3)


class Batches:
    """Batches of (inputs, targets).

    A pass visits every example once, in a new order. A last batch that is not full is dropped where
    the recipe has `drop_remainder`: the recipes of the zoo do, so that their steps, schedules and
    figures stay what they are; a training on a user's own data has every example in each epoch, as
    in Keras' `fit`. A pass takes as many epochs as the recipe has `epochs_per_pass`.

    `fit` takes `as_dataset()`. Set `epoch` before each epoch: Keras does not tell a data set which
    epoch it is in.
    """

    unit: ClassVar[str] = "examples"  # what a batch has several of
    # False where a short batch would change what is learned, such as the balance of two networks.
    allows_short_batch: ClassVar[bool] = True

    def __init__(
        self, inputs: examples.Inputs, targets: np.ndarray, *, recipe: Recipe, seed: int
    ) -> None:
        """Create the batches.

        Args:
            inputs: An array, or a dict of columns, as the model takes them.
            targets: `[examples, ...]`, as the loss takes them.
            recipe: Says the batch size and the augmentation.
            seed: Of all random numbers.
        """
        self.inputs = inputs
        self.targets = targets
        self.recipe: Any = recipe  # with the fields of the task
        self.seed = seed
        self.epoch = 0
        self.num_examples = len(targets)  # of a pass over the data
        self.batch_size = min(recipe.batch_size, self.num_examples)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        drop_remainder = self.recipe.drop_remainder or not self.allows_short_batch
        full, remainder = divmod(self.num_examples, self.batch_size)
        batches_per_pass = full + bool(remainder and not drop_remainder)
        return batches_per_pass // self.recipe.epochs_per_pass

    @property
    def examples_per_epoch(self) -> int:
        """The number of examples that an epoch visits."""
        return min(len(self) * self.batch_size, self.num_examples)

    @property
    def num_left_out(self) -> int:
        """The number of examples that no batch of a pass has; others in each pass."""
        num_used = len(self) * self.recipe.epochs_per_pass * self.batch_size
        return max(0, self.num_examples - num_used)

    def __getitem__(self, step: int) -> tuple[Any, np.ndarray]:
        """Return the batch of a step of the current epoch."""
        data_pass, part = divmod(self.epoch, self.recipe.epochs_per_pass)
        order = self.epoch_order(np.random.default_rng((self.seed, SHUFFLE_STREAM, data_pass)))
        start = (part * len(self) + step) * self.batch_size
        rng = np.random.default_rng((self.seed, BATCH_STREAM, self.epoch, step))
        return self.batch_for(order[start : start + self.batch_size], rng)

    def epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the order of the examples in a pass over the data, as indices."""
        return rng.permutation(self.num_examples)

    def batch_for(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
        """Make the batch of (inputs, targets) of the examples at `indices`."""
        return self.inputs_for(indices, rng), self.targets[indices]

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Make the inputs of the examples at `indices`; subclasses augment them."""
        return examples.take_rows(self.inputs, indices)

    def inputs_spec(self) -> Any:
        """Return the `tf.TensorSpec` of a batch of inputs."""
        return keras.tree.map_structure(_batch_spec, self.inputs)

    def targets_spec(self) -> tf.TensorSpec:
        """Return the `tf.TensorSpec` of a batch of targets."""
        return _batch_spec(self.targets)

    def as_dataset(self) -> tf.data.Dataset:
        """Return one epoch of batches, made on a thread beside the training.

        A `PyDataset` would not do: Keras takes the shapes of its first batches for those of all.
        """
        element_spec = self.inputs_spec(), self.targets_spec()
        return dataset_from_function(self.__getitem__, len(self), element_spec).prefetch(4)


def dataset_from_function(
    get_batch: Callable[[int], Any], num_batches: int, element_spec: Any
) -> tf.data.Dataset:
    """Build a data set of `get_batch(0)`, `get_batch(1)`, ..., whose shapes may differ.

    Args:
        get_batch: Makes the batch of an index.
        num_batches: How many there are.
        element_spec: The `tf.TensorSpec` of each component of a batch.
    """
    batches = tf.data.Dataset.from_generator(
        lambda: map(get_batch, range(num_batches)), output_signature=element_spec
    )
    return batches.apply(tf.data.experimental.assert_cardinality(num_batches))


def dataset_from_arrays(*arrays: Any, batch_size: int) -> tf.data.Dataset:
    """Build batches of examples in their order from arrays of inputs, targets, and sample weights.

    Args:
        *arrays: The components of an element, or dicts of them; the weights can be left out.
        batch_size: Examples in a batch; the last one can have fewer.
    """
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def _batch_spec(array: np.ndarray) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


# The states of a layer's seed generator that are reserved for an epoch.
RNG_STEPS_PER_EPOCH = 2**20


class SetEpoch(keras.callbacks.Callback):
    """Callback that sets the epoch of the batches, also where `fit` resumes from a checkpoint.

    It sets the random state of layers such as dropout too, which a checkpoint of Keras does not
    hold.
    """

    def __init__(self, batches: Batches) -> None:
        """Create the callback for some batches."""
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the epoch of the batches and the states of the seed generators."""
        self.batches.epoch = epoch
        for variable in self.model.non_trainable_variables:
            if variable.path.endswith("seed_generator_state"):
                seed, _ = keras.ops.convert_to_numpy(variable)
                variable.assign(np.array([seed, epoch * RNG_STEPS_PER_EPOCH]))
