"""Global state of the caller that models must not depend on, nor change: Keras' settings, seeds."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from keras_fm.models.precision import Precision


@contextmanager
def keras_settings(precision: Precision = "float32") -> Iterator[None]:
    """Run a block by Keras' default settings, whatever the caller's or those of `keras.json` are.

    Args:
        precision: What the layers built inside compute in; their weights are float32.
    """
    previous = _settings()
    _set("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        _set(*previous)


@contextmanager
def preserved_global_state() -> Iterator[None]:
    """Run a block by Keras' default settings; `random` and `np.random` go on behind it as before.

    A decorator of the functions that train, evaluate, predict and export.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with keras_settings():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _settings() -> tuple[keras.DTypePolicy, str, str, float]:
    return (
        keras.config.dtype_policy(),
        keras.config.floatx(),
        keras.config.image_data_format(),
        keras.config.epsilon(),
    )


def _set(
    policy: str | keras.DTypePolicy,
    floatx: str = "float32",
    image_data_format: str = "channels_last",
    epsilon: float = 1e-7,
) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(image_data_format)
    keras.config.set_epsilon(epsilon)
    keras.config.set_dtype_policy(policy)
