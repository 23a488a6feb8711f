"""What runs on the TensorFlow backend alone says so here; the models themselves run on any."""

import os
from dataclasses import dataclass

import keras

from keras_fm.errors import KerasFmError


@dataclass(frozen=True)
class Gpu:
    """A GPU that the backend computes on, and its compute capability (0: not known)."""

    name: str
    capability: float


def gpus() -> list[Gpu]:
    """Those that the backend would use."""
    if keras.backend.backend() == "jax":
        import jax

        devices = [device for device in jax.devices() if device.platform == "gpu"]
        return [
            Gpu(device.device_kind, float(getattr(device, "compute_capability", 0)))
            for device in devices
        ]
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [
        Gpu(detail.get("device_name", "GPU"), float(detail.get("compute_capability", (0, 0))[0]))
        for detail in details
    ]


def num_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    is_linux = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if is_linux else os.cpu_count() or 1


def compiles_steps() -> bool:
    """Whether XLA compiles training steps: with TensorFlow on a CPU they would be slower."""
    return keras.backend.backend() == "jax"


def need_tensorflow(what: str, otherwise: str = "", *, or_jax: bool = False) -> None:
    """Raise a `KerasFmError` where Keras runs on another backend than TensorFlow.

    Args:
        what: The beginning of the sentence, such as "a SavedModel is written by".
        otherwise: What the user can do instead.
        or_jax: JAX would do as well.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" or (or_jax and backend == "jax"):
        return
    alone = "TensorFlow and JAX backends" if or_jax else "TensorFlow backend"
    raise KerasFmError(
        f"{what} the {alone} alone; this is the {backend} backend. Run it with "
        f"KERAS_BACKEND=tensorflow{otherwise}"
    )
