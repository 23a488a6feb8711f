"""Files of examples: what a run was evaluated on, to evaluate it again."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.files import atomic_write


def save_examples(examples: Examples, path: Path) -> None:
    """Write examples to an `.npz` file without Python objects, atomically."""
    columns = examples.inputs if isinstance(examples.inputs, dict) else {"": examples.inputs}
    arrays: dict[str, Any] = {
        f"inputs/{name}": _without_objects(column) for name, column in columns.items()
    }
    arrays |= {"targets": examples.targets, "description": np.array(examples.description)}
    with atomic_write(path, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_examples(path: Path) -> Examples:
    """Read a file that `save_examples` wrote.

    Raises:
        DataError: The file is missing, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = {
                name.removeprefix("inputs/"): arrays[name] for name in arrays if "inputs/" in name
            }
            targets, description = arrays["targets"], str(arrays["description"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path} holds no examples: {error}") from None
    inputs = columns.pop("", columns)
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "S":
        inputs = inputs.astype(object)
    return Examples(inputs, targets, description)


def _without_objects(column: np.ndarray) -> np.ndarray:
    """Convert texts to bytes of one length: the padding compresses to nothing."""
    return column.astype("S") if column.dtype == object else column
