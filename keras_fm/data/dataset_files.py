"""Data sets in `.npz` files: training on a machine that has neither TFDS nor its data.

`KERAS_FM_DATASETS` names the folder; `tools/train_many.py prepare` fills it.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.files import atomic_path

FOLDER = "KERAS_FM_DATASETS"
_TEXTS, _LENGTHS = "/texts", "/lengths"  # behind the name of a column of texts


def find(dataset: str, split: str) -> Path | None:
    """Return the file of a split, where the folder of the environment has it."""
    folder = os.environ.get(FOLDER)
    path = file_of(Path(folder), dataset, split) if folder else None
    return path if path is not None and path.is_file() else None


def file_of(folder: Path, dataset: str, split: str) -> Path:
    """Return where the file of a split is, or will be."""
    return folder / f"{quote(dataset, safe='')}-{quote(split, safe='')}.npz"


def write(path: Path, examples: Examples) -> None:
    """Write examples as TFDS has them: arrays, texts, or a table of both."""
    columns = examples.inputs if isinstance(examples.inputs, dict) else {"": examples.inputs}
    arrays: dict[str, Any] = {"targets": examples.targets}
    for name, column in columns.items():
        arrays |= _to_arrays(f"inputs/{name}", column)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **arrays)


def read(path: Path, description: str) -> Examples:
    """Read the examples of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        names = [name.removesuffix(_TEXTS) for name in arrays if name.startswith("inputs/")]
        columns = {
            name.removeprefix("inputs/"): _from_arrays(name, arrays)
            for name in names
            if not name.endswith(_LENGTHS)
        }
        targets = arrays["targets"]
    return Examples(columns.pop("", columns), targets, description)


def _to_arrays(name: str, column: np.ndarray) -> dict[str, np.ndarray]:
    """Return a column as it is; texts, which pickle alone could keep, as the bytes of all."""
    if column.dtype != object:
        return {name: column}
    texts = [text if isinstance(text, bytes) else text.encode() for text in column]
    lengths = np.array([len(text) for text in texts], "int64")
    joined = np.frombuffer(b"".join(texts), "uint8")
    return {f"{name}{_TEXTS}": joined, f"{name}{_LENGTHS}": lengths}


def _from_arrays(name: str, arrays: "np.lib.npyio.NpzFile") -> np.ndarray:
    if name in arrays:
        return arrays[name]
    joined, lengths = arrays[f"{name}{_TEXTS}"].tobytes(), arrays[f"{name}{_LENGTHS}"]
    ends = np.cumsum(lengths)
    texts = np.empty(len(lengths), object)
    texts[:] = [joined[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    return texts
