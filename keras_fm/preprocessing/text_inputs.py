"""Texts as a user gives them.

Without TensorFlow: a client of a server wants them too, and wants to start fast.
"""

from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError


def read_texts(inputs: Any) -> np.ndarray:
    """One text or several, `str` or UTF-8, as bytes in an object array `[texts]`.

    Raises:
        InvalidInputError: something is no text, or there is none.
    """
    texts = [inputs] if isinstance(inputs, (str, bytes)) else list(inputs)
    for text in texts:
        if not isinstance(text, (str, bytes)):
            raise InvalidInputError(f"expected texts (str); received {type(text).__name__}")
    if not texts:
        raise InvalidInputError("expected one text or more; received an empty list")
    raw = np.empty(len(texts), object)
    # A lone surrogate has no UTF-8: it becomes bytes that count as unknown.
    raw[:] = [t.encode("utf-8", "surrogatepass") if isinstance(t, str) else t for t in texts]
    return raw
