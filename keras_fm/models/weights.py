"""Weights files of a model: load one, write one.

A weights file is Keras' own `.weights.h5`: arrays only, no pickle, no code. The matrices and
kernels may be stored in 16 bit (half the bytes); Keras reads them back into float32 by itself.
"""

import hashlib
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import h5py
import keras
import numpy as np

from keras_fm import store
from keras_fm.errors import WeightsError
from keras_fm.files import atomic_path
from keras_fm.models import hdf5
from keras_fm.store import SUFFIX, WeightsFile

# Keras calls a layer's group in a weights file after the layer's class, in snake case. Classes that
# were renamed since a file was released, old to new.
ALIASES = {
    "piecewise_linear": "piecewise_linear_encoding",
    "quick_layer_normalization": "fast_layer_normalization",
    "quick_lstm": "fast_lstm",
    "rotary_attention": "rotary_multi_head_attention",
}


def load_weights(model: keras.Model, source: WeightsFile) -> None:
    """Check the file and loads it into `model`.

    Groups with the former name of a layer's class are loaded as those with its name of today.

    Raises:
        WeightsError: The hash differs, the file is cut or hostile, or it belongs to another model.
            Where its arrays only lie in the wrong layers, some of the model's may be replaced then.
    """
    store.check_sha256(source)
    shapes = hdf5.array_shapes(source.path)
    expected = Counter(tuple(variable.shape) for variable in model.weights)
    if shapes != expected:
        raise WeightsError(
            f"{source.path} does not fit the model {model.name!r}: "
            f"{_difference(shapes, expected)}. It was made for another model, or for other "
            "arguments of it"
        )
    with _with_current_names(source.path, model) as path:
        try:
            model.load_weights(path)
        except Exception as error:  # Keras has many for a file that is arranged otherwise
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise WeightsError(
                f"{source.path} does not fit the model {model.name!r}: {reason}"
            ) from None


@contextmanager
def _with_current_names(path: Path, model: keras.Model) -> Iterator[Path]:
    """Yield the file, or a temporary copy in which groups with former names have today's."""
    with h5py.File(path) as file:
        renamed = dict(_renamed_groups(file, model))
    if not renamed:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="keras_fm-") as folder:
        copy = Path(folder) / f"renamed{SUFFIX}"
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            # A group's path changes with those of the groups around it, so the inner ones first.
            for name in sorted(renamed, key=len, reverse=True):
                file.move(name, renamed[name])
        yield copy


def _renamed_groups(file: h5py.File, model: keras.Model) -> Iterator[tuple[str, str]]:
    """Yield former and new path of each group of the file that has a former name.

    A layer of another package may be called as one of ours was: then the name stays.
    """
    classes = {type(layer).__name__.lower() for layer in model._flatten_layers()}
    aliases = {old: new for old, new in ALIASES.items() if old.replace("_", "") not in classes}
    names: list[str] = []
    file.visit(names.append)
    for name in names:
        parent, _, group = name.rpartition("/")
        match = re.fullmatch(r"(.*?)((?:_\d+)?)", group)
        # Only a model has a group `layers`; elsewhere groups have the names of attributes.
        if match and match[1] in aliases and parent.rpartition("/")[2] == "layers":
            new = f"{parent}/{aliases[match[1]]}{match[2]}"
            if new not in file:
                yield name, new


def weights_sha256(model: keras.Model) -> str:
    """Return the sha256 of a model's weights, by their values, names and order: of no file."""
    digest = hashlib.sha256()
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight)
        digest.update(f"{weight.path} {values.dtype} {values.shape}\n".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def save_weights(
    model: keras.Model, path: Path, storage: Literal["float32", "float16"] = "float32"
) -> None:
    """Write the weights of `model` to `path` (which ends in `.weights.h5`), atomically.

    Args:
        model: The model.
        path: The file.
        storage: "float16" halves matrices and kernels. Vectors keep 32 bit: they are few, and the
            variances among them can be smaller than 16 bit can tell from zero.
    """
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as partial:
        if storage == "float32":
            model.save_weights(partial)
        else:
            full = Path(folder) / f"full{SUFFIX}"
            model.save_weights(full)
            _write_float16(full, partial)


def _write_float16(path: Path, half_path: Path) -> None:
    """Write a weights file again with its matrices and kernels in float16."""
    with h5py.File(path) as source, h5py.File(half_path, "w") as target:

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


def _difference(in_file: Counter[tuple[int, ...]], expected: Counter[tuple[int, ...]]) -> str:
    def words(shapes: Counter[tuple[int, ...]]) -> str:
        return ", ".join(map(str, list(shapes.elements())[:3])) or "none"

    return (
        f"only in the file: {words(in_file - expected)}; "
        f"only in the model: {words(expected - in_file)}"
    )
