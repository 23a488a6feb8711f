"""What a user brings to learn from: arrays, `tf.data`, a TFDS data set, or files.

Here it gets one shape, whatever it was in; `own_images`, `own_texts` and `own_tables` read the
files and make it what a model takes.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, DataWarning, UnknownNameError

TFDS_PREFIX = "tfds:"
_IMAGE = 3  # dimensions


@dataclass(frozen=True)
class UserData:
    """What a user says of their data; `keras_fm.fine_tune` explains each."""

    data: Any
    text: str | None = None
    target: str | None = None
    kind: str | None = None
    labels: Sequence[str] | None = None
    split: str = "train"

    @property
    def path(self) -> Path | None:
        """Where it lies, if it is a file or a folder."""
        given = self.data
        if isinstance(given, str) and not given.strip():
            raise DataError(f"expected a file, a folder or a data set's name; received {given!r}")
        if isinstance(given, str) and not Path(given).exists():
            plain = not any(sign in given for sign in ("/", os.sep, "."))
            return None if plain or given.startswith(TFDS_PREFIX) else Path(given)
        return Path(given) if isinstance(given, (str, os.PathLike)) else None


class DataNotes(list[str]):
    """What is to be known of data, a sentence each; the report of a run shows them."""

    def warn(self, sentence: str) -> None:
        """Adds one that its user should read before the training starts."""
        self.append(sentence)
        warnings.warn(sentence, DataWarning, stacklevel=2)


@dataclass(frozen=True)
class RawExamples:
    """Examples as their user has them.

    inputs: images, texts, or a table's columns by name. targets: classes by name or by number,
    rows of zeros and a one, or quantities. origin: what they are, in words. names: of the classes,
    by number, where the data knows them.
    """

    inputs: Any
    targets: Any
    origin: str
    names: Sequence[str] | None = None
    notes: DataNotes = field(default_factory=DataNotes)

    def __post_init__(self) -> None:
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        lengths = {len(each) for each in [*columns, self.targets]}
        if len(lengths) != 1:
            raise DataError(
                f"{self.origin}: expected as many inputs as targets; received "
                f"{' and '.join(f'{length:,}' for length in sorted(lengths))}"
            )


def read_arrays(source: UserData, rank: int) -> RawExamples:
    """What a user has that is no file.

    Args:
        rank: how many dimensions one input has: 3 for an image, 0 for a text or a table's cell.

    Raises:
        DataError: it is nothing of the kind, or can't be had.
    """
    given = source.data
    if isinstance(given, Examples):
        return RawExamples(given.inputs, given.targets, given.origin)
    if isinstance(given, tuple) and len(given) == 2 and all(hasattr(x, "__len__") for x in given):
        return RawExamples(*given, origin=f"arrays of {len(given[1]):,} examples")
    if isinstance(given, tf.data.Dataset):
        return _from_dataset(given, rank, "a tf.data.Dataset")
    if isinstance(given, str):
        return _from_tfds(given.removeprefix(TFDS_PREFIX), source.split)
    raise DataError(
        "expected a file or folder, the name of a TFDS data set, (inputs, targets), a "
        f"tf.data.Dataset or keras_fm.data.Examples; received {type(given).__name__}"
    )


def _from_tfds(name: str, split: str) -> RawExamples:
    try:
        info = datasets.builder(name).info
    except UnknownNameError:
        raise DataError(
            "there is no such file or folder here, and TensorFlow Datasets has no such data set; "
            f"received {name!r}"
        ) from None
    keys, origin = info.supervised_keys, f"{name} {split}"
    if keys is None:
        raise DataError(f"{name} of TensorFlow Datasets has no pairs of an input and an answer")
    names = getattr(info.features[keys[1]], "names", None)
    shape = getattr(info.features[keys[0]], "shape", None) or ()
    if len(shape) == 3 and None in shape:  # images that can't stand in one array
        images = datasets.prepared(name).as_dataset(split=split, as_supervised=True)
        whole = _from_dataset(images, rank=3, origin=origin)
    else:
        examples = datasets.load(name, split)
        whole = RawExamples(examples.inputs, examples.targets, examples.origin)
    return RawExamples(whole.inputs, whole.targets, origin, names)


def _from_dataset(dataset: tf.data.Dataset, rank: int, origin: str) -> RawExamples:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        known = "; of a dict take two: .map(lambda x: (x[...], x[...]))" * isinstance(spec, dict)
        raise DataError(f"{origin}: expected elements (input, target){known}; received {spec}")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(f"{origin}: it has no end; leave out .repeat()")
    names = getattr(dataset, "class_names", None)  # as Keras' readers of folders leave them
    if _is_batched(tf.nest.flatten(spec[0])[0].shape, rank):
        dataset = dataset.unbatch()
    pairs = list(dataset.as_numpy_iterator())
    if not pairs:
        raise DataError(f"{origin} of 0 examples: nothing can be learned from it")
    origin = f"{origin} of {len(pairs):,} examples"
    inputs: Any = [each for each, _ in pairs]
    if isinstance(inputs[0], dict):
        inputs = {name: np.array([each[name] for each in inputs]) for name in inputs[0]}
    elif rank and len({np.shape(each) for each in inputs}) == 1:
        inputs = np.stack(inputs)
    return RawExamples(inputs, [target for _, target in pairs], origin, names)


def _is_batched(shape: tf.TensorShape, rank: int) -> bool:
    """Whether elements are many inputs of so many dimensions; grey images may have one less."""
    channels = shape[-1] if shape.rank else None
    grey = shape.rank == rank == _IMAGE and channels is not None and channels not in (1, 3)
    return bool(shape.rank == rank + 1 or grey)
