"""Files of examples: what a run was evaluated on, to evaluate it again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.file_errors import reason_of
from keras_fm.files import atomic_write


def save_examples(examples: Examples, path: Path) -> None:
    """Write examples to an `.npz` file without Python objects, atomically."""
    columns = examples.inputs if isinstance(examples.inputs, dict) else {"": examples.inputs}
    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        if column.dtype == object:
            arrays |= _pack_texts(column, name)
        else:
            arrays[f"inputs/{name}"] = column
    arrays |= {"targets": examples.targets, "description": np.array(examples.description)}
    if examples.folds is not None:
        arrays["folds"] = examples.folds
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
                name.removeprefix("inputs/"): arrays[name]
                for name in arrays
                if name.startswith("inputs/")
            }
            columns |= {
                name.removeprefix("bytes/"): _unpack_texts(arrays, name.removeprefix("bytes/"))
                for name in arrays
                if name.startswith("bytes/")
            }
            targets, description = arrays["targets"], str(arrays["description"])
            folds = arrays.get("folds")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path} holds no examples: {reason_of(error)}") from None
    inputs = columns.pop("", columns)
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "S":
        inputs = inputs.astype(object)
    return Examples(inputs, targets, description, folds=folds)


def _pack_texts(column: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Return the bytes of all texts, one behind the other, and their lengths."""
    texts = [
        text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        for text in column.tolist()
    ]
    return {
        f"bytes/{name}": np.frombuffer(b"".join(texts), "uint8"),
        f"lengths/{name}": np.array([len(text) for text in texts], "int64"),
    }


def _unpack_texts(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    joined, lengths = arrays[f"bytes/{name}"].tobytes(), arrays[f"lengths/{name}"]
    ends = lengths.cumsum()
    texts = np.empty(len(ends), object)
    texts[:] = [joined[start:end] for start, end in zip(ends - lengths, ends, strict=True)]
    return texts
