"""Several devices of one machine on TensorFlow: `tf.distribute.MirroredStrategy`."""

import functools
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from keras_fm.backend import num_cores
from keras_fm.distribution.devices import SeveralDevices, check_available
from keras_fm.errors import InvalidInputError


class MirroredDevices(SeveralDevices):
    """GPUs, or logical CPUs where there is no GPU.

    Each has a copy of the weights and a part of each batch. The parts are equal: a batch whose
    examples the devices can't share goes to each of them as a whole. Batch normalization takes the
    statistics of the whole batch. Layers such as dropout draw the same numbers on each device. One
    device validates.

    Args:
        count: Of the devices.

    Raises:
        InvalidInputError: There are fewer, or TensorFlow has been used already.
    """

    divides_any_step = False
    validates = False

    def __init__(self, count: int) -> None:
        self.count = count
        self.strategy = _strategy(count)

    def building(self) -> AbstractContextManager[Any]:
        """Return the strategy's scope; `fit` enters it by itself."""
        return self.strategy.scope()

    def clone_layer(self, layer: keras.Layer) -> keras.Layer:
        """Return a copy of a layer, whose batch normalization is synchronized."""
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = True
        return type(layer).from_config(config)

    def prepare(self, trainer: keras.Model) -> None:
        """Let the optimizer clip the gradient of the batch.

        Keras clips on each device, where the gradient is that of a part (keras 3.15).
        """
        optimizer = trainer.optimizer
        max_norm, optimizer.global_clipnorm = optimizer.global_clipnorm, None
        if not max_norm:
            return
        apply = optimizer.apply

        def apply_clipped(gradients: list[Any], trainable_variables: Any = None) -> Any:
            context = tf.distribute.get_replica_context()
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            sums, _ = tf.clip_by_global_norm(sums, max_norm)
            return apply([gradient / self.count for gradient in sums], trainable_variables)

        optimizer.apply = apply_clipped

    def training_data(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches; one that can't be shared is repeated for each device."""

        def share(*batch: Any) -> Any:
            return tf.nest.map_structure(self._share, batch)

        # Not `AUTOTUNE`: the end of an epoch can wait for the tuning (`data/batches.py`).
        return dataset.map(share).prefetch(1)

    def _share(self, rows: tf.Tensor) -> tf.Tensor:
        repeated = tf.cond(
            tf.shape(rows)[0] % self.count == 0,
            lambda: rows,
            lambda: tf.concat([rows] * self.count, axis=0),
        )
        repeated.set_shape(rows.shape)
        return repeated


@functools.cache
def _strategy(count: int) -> tf.distribute.Strategy:
    """Return one strategy a process: a second one would number its reductions as the first did."""
    return tf.distribute.MirroredStrategy(_device_names(count))


def _device_names(count: int) -> list[str]:
    if tf.config.list_physical_devices("GPU"):
        gpus = tf.config.list_logical_devices("GPU")
        check_available(count, len(gpus), is_cpu=False)
        return [gpu.name for gpu in gpus[:count]]
    check_available(count, num_cores(), is_cpu=True)
    [cpu] = tf.config.list_physical_devices("CPU")
    configured = tf.config.get_logical_device_configuration(cpu)
    if configured is None or len(configured) < count:
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        try:
            tf.config.set_logical_device_configuration(cpu, parts)
        except RuntimeError:  # once TensorFlow has computed anything
            raise InvalidInputError(
                f"devices={count}: TensorFlow has begun to use the CPU as one device; train in a "
                "new process, before anything else"
            ) from None
    return [device.name for device in tf.config.list_logical_devices("CPU")[:count]]
