"""Functions that XLA compiles on the TensorFlow backend."""

import functools
from collections.abc import Callable
from typing import Any

from keras_fm.lazy_imports import tf


def xla_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function of tensors: XLA fuses it to a single pass, from its first call on.

    A `tf.function` as a decorator would import TensorFlow with the module.
    """

    @functools.cache
    def compiled() -> Callable[..., Any]:
        return tf.function(function, jit_compile=True, reduce_retracing=True)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return compiled()(*arguments)

    return call
