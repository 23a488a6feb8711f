"""Shuffled training batches: a pure function of (seed, epoch, step).

So a training that is resumed at an epoch sees the same batches as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import keras
import numpy as np

from keras_fm.data import examples
from keras_fm.data.batch_loader import PREFETCH, BatchLoader
from keras_fm.lazy_imports import tf
from keras_fm.registry.recipe import Recipe

# Independent random streams of one seed. Changing them changes the weights that a recipe trains.
SHUFFLE_STREAM, FLIP_STREAM, BATCH_STREAM = range(3)

Dataset: TypeAlias = "tf.data.Dataset | BatchLoader"


class Batches:
    """Batches of (inputs, targets).

    A pass visits every example once, in a new order. A last batch that is not full is dropped where
    the recipe has `drop_remainder`: the recipes of the zoo do, so that their steps, schedules and
    figures stay what they are; a training on a user's own data has every example in each epoch, as
    in Keras' `fit`. A pass takes as many epochs as the recipe has `epochs_per_pass`, or an epoch as
    many passes as it has `passes_per_epoch`.

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
        self._last_order: tuple[int, np.ndarray] | None = None  # of a pass

    @property
    def batches_per_pass(self) -> int:
        """The number of batches in a pass over the data."""
        drop_remainder = self.recipe.drop_remainder or not self.allows_short_batch
        full, remainder = divmod(self.num_examples, self.batch_size)
        return full + bool(remainder and not drop_remainder)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        parts = self.recipe.epochs_per_pass
        return self.batches_per_pass * self.recipe.passes_per_epoch // parts

    @property
    def examples_per_epoch(self) -> int:
        """The number of examples that an epoch visits; one that it visits twice counts twice."""
        most = self.num_examples * self.recipe.passes_per_epoch
        return min(len(self) * self.batch_size, most)

    @property
    def num_left_out(self) -> int:
        """The number of examples that no batch of a pass has; others in each pass."""
        parts, passes = self.recipe.epochs_per_pass, self.recipe.passes_per_epoch
        num_used = len(self) * parts // passes * self.batch_size
        return max(0, self.num_examples - num_used)

    def __getitem__(self, step: int) -> tuple[Any, np.ndarray]:
        """Return the batch of a step of the current epoch."""
        if self.recipe.passes_per_epoch > 1:
            passes, batch = divmod(step, self.batches_per_pass)
            data_pass = self.epoch * self.recipe.passes_per_epoch + passes
        else:
            data_pass, part = divmod(self.epoch, self.recipe.epochs_per_pass)
            batch = part * len(self) + step
        start = batch * self.batch_size
        rng = np.random.default_rng((self.seed, BATCH_STREAM, self.epoch, step))
        return self.batch_for(self._order(data_pass)[start : start + self.batch_size], rng)

    def _order(self, data_pass: int) -> np.ndarray:
        """Return the order of a pass, which is drawn once: of a million rows it takes its time."""
        if self._last_order is None or self._last_order[0] != data_pass:
            rng = np.random.default_rng((self.seed, SHUFFLE_STREAM, data_pass))
            self._last_order = data_pass, self.epoch_order(rng)
        return self._last_order[1]

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
        return keras.tree.map_structure(batch_spec, self.inputs)

    def targets_spec(self) -> tf.TensorSpec:
        """Return the `tf.TensorSpec` of a batch of targets."""
        return batch_spec(self.targets)

    def element_spec(self) -> tuple[Any, ...]:
        """Return the `tf.TensorSpec`s of a batch."""
        return self.inputs_spec(), self.targets_spec()

    def as_dataset(self) -> Dataset:
        """Return one epoch of batches, made on a thread beside the training."""
        return dataset_from_function(self.__getitem__, len(self), self.element_spec)


def uses_tf_data() -> bool:
    """Return whether `fit` takes batches as a `tf.data.Dataset`; on JAX as a `BatchLoader`.

    TensorFlow could take a `BatchLoader` for batches of one shape alone: Keras takes the shapes of
    its first batches for those of all.
    """
    return keras.backend.backend() != "jax"


def dataset_from_function(
    get_batch: Callable[[int], Any], num_batches: int, element_spec: Callable[[], Any]
) -> Dataset:
    """Build a data set of `get_batch(0)`, `get_batch(1)`, ..., whose shapes may differ.

    Args:
        get_batch: Makes the batch of an index.
        num_batches: How many there are.
        element_spec: Returns the `tf.TensorSpec` of each component of a batch, for `tf.data`.
    """
    if not uses_tf_data():
        return BatchLoader(get_batch, num_batches)
    structure = element_spec()
    specs = tf.nest.flatten(structure)

    def components(index: np.ndarray) -> list[np.ndarray]:
        arrays = tf.nest.flatten(get_batch(int(index)))
        return [
            np.asarray(array, spec.dtype.as_numpy_dtype)
            for array, spec in zip(arrays, specs, strict=True)
        ]

    def batch(index: tf.Tensor) -> Any:
        # Less time than by `from_generator`, most of all in an epoch of few batches.
        tensors = tf.numpy_function(components, [index], [spec.dtype for spec in specs])
        for tensor, spec in zip(tensors, specs, strict=True):
            tensor.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(structure, tensors)

    return _without_autotuning(tf.data.Dataset.range(num_batches).map(batch).prefetch(PREFETCH))


def dataset_from_arrays(*arrays: Any, batch_size: int) -> Dataset:
    """Build batches of examples in their order from arrays of inputs, targets, and sample weights.

    Args:
        *arrays: The components of an element, or dicts of them; the weights can be left out.
        batch_size: Examples in a batch; the last one can have fewer.
    """
    num_examples = len(keras.tree.flatten(arrays)[0])
    if not uses_tf_data():

        def batch(index: int) -> Any:
            rows = slice(index * batch_size, (index + 1) * batch_size)
            return keras.tree.map_structure(lambda array: array[rows], arrays)

        return BatchLoader(batch, -(-num_examples // batch_size))
    num_full = num_examples // batch_size * batch_size

    def full_batches(array: np.ndarray) -> np.ndarray:
        return array[:num_full].reshape(-1, batch_size, *array.shape[1:])

    # Batches are elements as they are: to collect a table's rows takes ten times as long.
    full = tf.data.Dataset.from_tensor_slices(keras.tree.map_structure(full_batches, arrays))
    if num_full == num_examples:
        return _without_autotuning(full)
    rest = tf.data.Dataset.from_tensors(
        keras.tree.map_structure(lambda array: array[num_full:], arrays)
    )
    return _without_autotuning(full.concatenate(rest))


def _without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the data set without the thread that tunes buffers: there is nothing to tune.

    At the end of every second or third epoch TensorFlow 2.21 waits for the next turn of that
    thread, whose pauses double: up to as long as the epoch took.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def batch_spec(array: np.ndarray) -> tf.TensorSpec:
    """Return the `tf.TensorSpec` of some rows of an array."""
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
        set_epoch(self.model, self.batches, epoch)


def set_epoch(model: keras.Model, batches: Batches, epoch: int) -> None:
    """Set the epoch of the batches, and the states of the model's seed generators."""
    batches.epoch = epoch
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            seed, _ = keras.ops.convert_to_numpy(variable)
            variable.assign(np.array([seed, epoch * RNG_STEPS_PER_EPOCH]))
