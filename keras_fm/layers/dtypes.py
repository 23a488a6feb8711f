"""Which tensors the fast paths of the layers support."""

from typing import Any

import keras


def fits_float32(tensor: Any) -> bool:
    """Return True if a computation in float32 is at least as precise as the tensor's dtype."""
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return dtype in ("float16", "bfloat16", "float32")
