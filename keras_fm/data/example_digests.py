"""Digests of examples, by which the same inputs are found again: in a split, or in another file."""

import hashlib
from pathlib import Path

import numpy as np

from keras_fm.data.examples import Inputs
from keras_fm.errors import DataError
from keras_fm.file_errors import reason_of
from keras_fm.files import atomic_write

_DIGEST_BYTES = 8  # among a billion examples, the chance that two share a digest is 3 %


def example_digests(inputs: Inputs) -> np.ndarray:
    """Compute a digest of each example's inputs, equal for equal ones, on any machine.

    Args:
        inputs: Those of `Examples`: images or other arrays `[examples, ...]`, texts, numbers, or
            the columns of a table by name. Missing numbers are equal.

    Returns:
        uint64 `[examples]`.
    """
    if isinstance(inputs, dict):
        return _row_digests(inputs)
    if inputs.ndim == 1 and inputs.dtype.kind in "biuf":
        return _row_digests({"": inputs})
    if inputs.ndim == 1:
        return _bytes_digests([_to_bytes(text) for text in inputs.tolist()])
    return _bytes_digests([array.tobytes() for array in inputs])


def save_digests(digests: np.ndarray, path: Path) -> None:
    """Write digests to an `.npy` file, sorted, atomically."""
    with atomic_write(path, "wb") as stream:
        np.save(stream, np.sort(digests), allow_pickle=False)


def load_digests(path: Path) -> np.ndarray:
    """Read a file that `save_digests` wrote.

    Raises:
        DataError: The file is missing, or holds something else.
    """
    try:
        digests = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} holds no digests of examples: {reason_of(error)}") from None
    if not isinstance(digests, np.ndarray) or digests.dtype != np.uint64 or digests.ndim != 1:
        raise DataError(f"{path} holds no digests of examples")
    return digests


def _bytes_digests(items: list[bytes]) -> np.ndarray:
    digests = [hashlib.blake2b(item, digest_size=_DIGEST_BYTES).digest() for item in items]
    return np.frombuffer(b"".join(digests), "<u8").astype("uint64")


def _row_digests(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Compute digests of rows; numbers as float32, as models take them."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            name: column.astype("float32") + 0.0  # -0.0 is 0.0
            if column.dtype.kind in "biuf"
            else column.astype(object)
            for name, column in sorted(columns.items())
        }
    )
    return pd.util.hash_pandas_object(frame, index=False).to_numpy("uint64")


def _to_bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
