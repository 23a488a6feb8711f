"""Texts as a user has them.

Without TensorFlow, for the client of a server, which is to start fast.
"""

from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError


def read_texts(inputs: Any) -> np.ndarray:
    """Encode a text or several as UTF-8, an object array of bytes `[texts]`.

    Args:
        inputs: `str` or UTF-8 bytes, or a list of them.

    Raises:
        InvalidInputError: An item is no text, or there is none.
    """
    texts = [inputs] if isinstance(inputs, (str, bytes)) else list(inputs)
    for text in texts:
        if not isinstance(text, (str, bytes)):
            raise InvalidInputError(f"expected texts (str); received {type(text).__name__}")
    if not texts:
        raise InvalidInputError("expected one text or more; received an empty list")
    encoded = np.empty(len(texts), object)
    # A lone surrogate has no UTF-8: it becomes bytes that count as unknown.
    encoded[:] = [
        text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in texts
    ]
    return encoded
