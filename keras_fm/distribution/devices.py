"""The devices that a training runs on: one, unless `use_devices` says otherwise."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.interrupts import interruptible


class Devices:
    """One device, as Keras chooses it: what all of it is done by is `fit` itself.

    Attributes:
        count: Of the devices that share a batch.
        num_processes: That train together.
    """

    count = 1
    num_processes = 1
    # Whether the step is that of one device: then a custom one of a trainer is divided as well.
    divides_any_step = True
    validates = True  # False where `fit` would validate on other numbers of examples
    is_first = True  # False in a process whose run is deleted in the end

    def check_same(self, values: Mapping[str, str]) -> None:
        """Check that all processes train the same.

        Args:
            values: What must be alike, such as digests, by a name for the error.

        Raises:
            DistributedError: Something is not; in all processes.
        """

    def building(self) -> AbstractContextManager[Any]:
        """Return the scope in which variables are created: models, optimizers, metrics."""
        return nullcontext()

    def running(self) -> AbstractContextManager[Any]:
        """Return the scope in which `fit` and `evaluate` of a replica are called."""
        return nullcontext()

    def suspended(self) -> AbstractContextManager[Any]:
        """Return the scope in which a callback uses a model that is no replica."""
        return nullcontext()

    def replicate(self, model: keras.Model) -> keras.Model:
        """Return what is trained instead of a model: a copy on all devices, or the model."""
        return model

    def prepare(self, trainer: keras.Model) -> None:
        """Set what a compiled trainer needs on several devices."""

    def training_data(self, dataset: Any) -> Any:
        """Return the `tf.data.Dataset` of batches as the devices take it."""
        return dataset

    def callbacks(
        self, replica: keras.Model, model: keras.Model, validation: Any
    ) -> Sequence[keras.callbacks.Callback]:
        """Return the callbacks that come before those that look at the model and its metrics.

        Args:
            replica: What `replicate` returned, which `fit` trains, or a part of what it trains.
            model: What it is the replica of; compiled where not `validates`.
            validation: What validates an epoch, if anything.
        """
        return []


class SeveralDevices(Devices):
    """What is the same on both backends."""

    def replicate(self, model: keras.Model) -> keras.Model:
        """Return a copy of a model with its weights and random states on all devices.

        Raises:
            InvalidInputError: Keras can't copy the model.
        """
        with self.building():
            replica = keras.models.clone_model(model, clone_function=self.clone_layer)
            if _structure(replica) != _structure(model):
                raise InvalidInputError(
                    f"{model.name} can't be copied to several devices, as Keras' clone_model makes "
                    "another model of it: leave out devices"
                )
            copy_variables(model, replica)
        return replica

    def clone_layer(self, layer: keras.Layer) -> keras.Layer:
        """Return a copy of a layer, without its weights."""
        return type(layer).from_config(layer.get_config())

    def callbacks(
        self, replica: keras.Model, model: keras.Model, validation: Any
    ) -> Sequence[keras.callbacks.Callback]:
        """Return the callbacks that give the model its weights, and validate it."""
        copy = CopyReplica(replica, model)
        if self.validates or validation is None:
            return [copy]
        return [copy, ValidateOnOne(model, validation)]


class CopyReplica(keras.callbacks.Callback):
    """Copies the weights of a replica into the model after each epoch.

    Args:
        replica: What `fit` trains, or a part of it.
        original: The model on one device, which other callbacks use.
    """

    def __init__(self, replica: keras.Model, original: keras.Model) -> None:
        super().__init__()
        self.replica = replica
        self.original = original

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Copy them."""
        assert self.model is not None  # asking for it gives JAX' variables their values
        copy_variables(self.replica, self.original)


class ValidateOnOne(keras.callbacks.Callback):
    """Validates an epoch on one device, where several would not count each example once.

    Args:
        model: Compiled as what `fit` trains, with its weights.
        validation: What `evaluate` takes.
    """

    def __init__(self, model: keras.Model, validation: Any) -> None:
        super().__init__()
        self.validated_model = model
        self.validation = validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the metrics to the logs, as `fit` names them."""
        with interruptible() as interrupt:
            metrics = self.validated_model.evaluate(
                self.validation, verbose=0, return_dict=True, callbacks=[interrupt]
            )
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in metrics.items()})


def copy_variables(source: keras.Model, target: keras.Model) -> None:
    """Copy weights and random states between models of the same layers."""
    for variable, copy in zip(source.variables, target.variables, strict=True):
        copy.assign(np.asarray(keras.ops.convert_to_numpy(variable)))
    for layer in target.layers:
        if isinstance(layer, keras.layers.Normalization) and hasattr(layer, "adapt_mean"):
            layer.finalize_state()  # or it would go on with the mean and variance of before
            # As numbers: JAX can't close over an array of several processes.
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)


def check_available(count: int, available: int, *, is_cpu: bool) -> None:
    """Check that a machine has as many devices.

    Raises:
        InvalidInputError: It has fewer.
    """
    if count > available:
        devices = "no GPU; CPU cores:" if is_cpu else "fewer GPUs:"
        raise InvalidInputError(f"devices={count}: this machine has {devices} {available}")


def _structure(model: keras.Model) -> list[tuple[Any, ...]]:
    return [(tuple(v.shape), v.dtype, v.trainable) for v in model.variables]


_current: ContextVar[Devices] = ContextVar("devices", default=Devices())  # noqa: B039 (no state)


def current_devices() -> Devices:
    """Return the devices that this block trains on."""
    return _current.get()


@contextmanager
def on_devices(devices: Devices) -> Iterator[None]:
    """Run a block whose trainings take these devices."""
    token = _current.set(devices)
    try:
        yield
    finally:
        _current.reset(token)
