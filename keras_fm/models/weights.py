"""Weights files of a model: load one, write one.

A weights file is Keras' own `.weights.h5`: arrays only, no pickle, no code. The matrices and
kernels may be stored in 16 bit (half the bytes); Keras reads them back into float32 by itself.
"""

import hashlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import Literal

import h5py
import keras
import numpy as np

from keras_fm import store
from keras_fm.errors import WeightsError
from keras_fm.models import hdf5
from keras_fm.store import SUFFIX, WeightsFile


def load_weights(model: keras.Model, source: WeightsFile) -> None:
    """Checks the file and loads it into `model`.

    Raises:
        WeightsError: the hash differs, the file is cut or hostile, or it belongs to another model.
            Where its arrays only lie in the wrong layers, some of the model's may be replaced then.
    """
    store.check_sha256(source)
    found, expected = hdf5.array_shapes(source.path), Counter(tuple(v.shape) for v in model.weights)
    if found != expected:
        raise WeightsError(
            f"{source.path} does not fit the model {model.name!r}: {_difference(found, expected)}. "
            "It was made for another model, or for other arguments of it"
        )
    try:
        model.load_weights(source.path)
    except Exception as error:  # Keras has many for a file that is arranged otherwise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(
            f"{source.path} does not fit the model {model.name!r}: {reason}"
        ) from None


def weights_sha256(model: keras.Model) -> str:
    """The sha256 of a model's weights, by their values, names and order: of no file."""
    found = hashlib.sha256()
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight)
        found.update(f"{weight.path} {values.dtype} {values.shape}\n".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def save_weights(
    model: keras.Model, path: Path, storage: Literal["float32", "float16"] = "float32"
) -> None:
    """Writes the weights of `model` to `path` (which ends in `.weights.h5`), atomically.

    Args:
        storage: "float16" halves matrices and kernels. Vectors keep 32 bit: they are few, and the
            variances among them can be smaller than 16 bit can tell from zero.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".weights-") as folder:
        draft = Path(folder) / f"draft{SUFFIX}"
        model.save_weights(draft)
        if storage == "float16":
            draft = _halved(draft)
        draft.replace(path)


def _halved(path: Path) -> Path:
    smaller = path.with_name(f"half{SUFFIX}")
    with h5py.File(path) as source, h5py.File(smaller, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                half = values.ndim >= 2 and values.dtype == np.float32
                copied = target.create_dataset(name, data=values.astype("f2") if half else values)
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    return smaller


def _difference(found: Counter[tuple[int, ...]], expected: Counter[tuple[int, ...]]) -> str:
    def words(shapes: Counter[tuple[int, ...]]) -> str:
        return ", ".join(map(str, list(shapes.elements())[:3])) or "none"

    return (
        f"only in the file: {words(found - expected)}; only in the model: {words(expected - found)}"
    )
