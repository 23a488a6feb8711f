"""Examples in a file of plain arrays: what a run was measured on, to measure it again."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError


def save_examples(examples: Examples, path: Path) -> None:
    """Writes them to an `.npz` file, whole or not at all; it holds no Python objects."""
    columns = examples.inputs if isinstance(examples.inputs, dict) else {"": examples.inputs}
    arrays: dict[str, Any] = {f"inputs/{n}": _plain(column) for n, column in columns.items()}
    arrays |= {"targets": examples.targets, "origin": np.array(examples.origin)}
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as file:
        np.savez_compressed(file, **arrays)
    draft.replace(path)


def load_examples(path: Path) -> Examples:
    """Reads what `save` wrote.

    Raises:
        DataError: the file is not there, or none of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = {n.removeprefix("inputs/"): arrays[n] for n in arrays if "inputs/" in n}
            targets, origin = arrays["targets"], str(arrays["origin"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path} holds no examples: {error}") from None
    inputs = columns.pop("", columns)
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "S":
        inputs = inputs.astype(object)
    return Examples(inputs, targets, origin)


def _plain(column: np.ndarray) -> np.ndarray:
    """Texts as fixed lengths of bytes: they are padded, which compresses to nothing."""
    return column.astype("S") if column.dtype == object else column
