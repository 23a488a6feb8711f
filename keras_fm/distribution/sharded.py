"""Several devices on JAX, of one or of several machines: `keras.distribution`."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import keras

from keras_fm.backend import num_cores
from keras_fm.distribution import processes
from keras_fm.distribution.devices import SeveralDevices, check_available
from keras_fm.errors import InvalidInputError


class SharedBatch(keras.distribution.DataParallel):
    """Data parallelism in which each process has the whole batch, and a device computes its rows.

    So the last batch of a data set can have any number of examples: Keras would want one that the
    devices can share, of the same number in each process. What a batch is, is a function of seed,
    epoch and step, which each process computes.

    Attributes:
        layer_names: Of the layers whose output is divided. A layer in another one, such as the cell
            of an LSTM, is not among them, nor one of several outputs: Keras would divide these as
            it does eager arrays, which fails where a batch leaves a remainder (keras 3.15).
    """

    layer_names: frozenset[str] = frozenset()

    def get_data_layout(self, data_shape: Any) -> Any:
        """Return the layout of a batch on its way to the devices: all rows on each."""
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> Any:
        """Return the layout of a layer's outputs: XLA computes on a device what it needs there."""
        name = path.split("/")[-2]  # path ends in "/output"
        if name not in self.layer_names:
            return None
        return keras.distribution.TensorLayout([self.batch_dim_name], self.device_mesh)


class ShardedDevices(SeveralDevices):
    """GPUs or CPUs of all processes, each with a copy of the weights and rows of each batch.

    The step is the one of a single device, which XLA divides: batch normalization, dropout and
    gradients are those of the whole batch.

    Args:
        per_process: Devices of each process; None for all.
    """

    def __init__(self, per_process: int | None) -> None:
        by_process: dict[int, list[Any]] = {}
        for device in jax.devices():
            by_process.setdefault(device.process_index, []).append(device)
        if per_process is not None:
            is_cpu = jax.default_backend() == "cpu"
            fewest = num_cores() if is_cpu else min(map(len, by_process.values()))
            check_available(per_process, fewest, is_cpu=is_cpu)
        names = [
            f"{device.platform}:{device.id}"
            for devices in by_process.values()
            for device in devices[:per_process]
        ]
        self.count = len(names)
        self.num_processes = len(by_process)
        self.is_first = processes.is_first()
        self.distribution = SharedBatch(devices=names, auto_shard_dataset=False)

    def replicate(self, model: keras.Model) -> keras.Model:
        """Return a copy of a model on all devices, whose layers divide a batch."""
        replica = super().replicate(model)
        outputs = {layer.name: getattr(layer, "output", None) for layer in replica.layers}
        self.distribution.layer_names |= {
            name for name, output in outputs.items() if isinstance(output, keras.KerasTensor)
        }
        return replica

    def check_same(self, values: Mapping[str, str]) -> None:
        """Check that all processes train the same."""
        processes.check_same(values)

    def building(self) -> AbstractContextManager[Any]:
        """Return the distribution's scope."""
        return self.distribution.scope()

    def running(self) -> AbstractContextManager[Any]:
        """Return the distribution's scope."""
        return self.distribution.scope()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Run a block without the distribution."""
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self.distribution)


def add_cpus(count: int) -> None:
    """Let JAX use cores of the CPU as devices; where there are GPUs it takes those.

    Raises:
        InvalidInputError: JAX has been used already, with fewer.
    """
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        if len(jax.local_devices()) < count:
            raise InvalidInputError(
                f"devices={count}: JAX has begun to use {len(jax.local_devices())}; train in a new "
                "process, before anything else"
            ) from None
