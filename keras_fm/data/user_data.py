"""Data of a user's own: arrays, `tf.data`, TFDS data sets, or files.

`read_arrays` reads what is no file into `RawExamples`; `user_images`, `user_texts` and
`user_tables` read files, and convert raw examples to what a model takes.
"""

import os
import re
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
from keras_fm.files import local_path
from keras_fm.preprocessing import array_likes

TFDS_PREFIX = "tfds:"
_TFDS_NAME = re.compile(r"(?P<dataset>[^/.:\\]+)(/[\w.+-]+)?(:[\w.*]+)?")
_IMAGE_RANK = 3


@dataclass(frozen=True)
class UserData:
    """A user's data and what the user says of it.

    Attributes:
        data: A file or folder, (inputs, targets), a `tf.data.Dataset`, `Examples`, a data frame, or
            the name of a TFDS data set.
        text: The column of the texts.
        target: The column to predict.
        problem_type: Of a table: "regression" or "classification"; None: inferred.
        class_names: Of all classes, in the order of their indices; None: inferred.
        split: Of a TFDS data set.
    """

    data: Any
    text: str | None = None
    target: str | None = None
    problem_type: str | None = None
    class_names: Sequence[str] | None = None
    split: str = "train"

    @property
    def path(self) -> Path | None:
        """The path of a file or folder, existing or not; None of anything else."""
        data = self.data
        if isinstance(data, os.PathLike):
            return local_path(data)
        if not isinstance(data, str) or data.startswith(TFDS_PREFIX):
            return None
        if not data.strip():
            raise DataError(f"expected a file, a folder or a data set's name; received {data!r}")
        path = local_path(data)
        return None if not path.exists() and _is_dataset_name(data) else path


def _is_dataset_name(name: str) -> bool:
    """Return whether a string can be a TFDS name, also with a configuration and a version."""
    match = _TFDS_NAME.fullmatch(name)
    if match is None:
        return False
    return match["dataset"] == name or datasets.is_known(match["dataset"])


class DataNotes(list[str]):
    """Sentences on a user's data, which the report of a run shows."""

    def warn(self, sentence: str) -> None:
        """Add a sentence, and warn of it before the training starts."""
        self.append(sentence)
        warnings.warn(sentence, DataWarning, stacklevel=2)

    def warn_alike(self, description: str, strings: Sequence[str]) -> None:
        """Warn of strings that differ in case or blanks alone."""
        first_of: dict[str, str] = {}
        for string in strings:
            first = first_of.setdefault("".join(string.casefold().split()), string)
            if first != string:
                self.warn(
                    f"{description} that differ in case or blanks alone, such as {first!r} and "
                    f"{string!r}: they count as different"
                )
                return


@dataclass(frozen=True)
class RawExamples:
    """Examples as a user has them.

    Attributes:
        inputs: Images, texts, or the columns of a table by name.
        targets: Class names, class indices, one-hot rows, or numbers.
        description: What they are, in words.
        class_names: By class index, where the data has them.
        notes: Sentences for the user.
    """

    inputs: Any
    targets: Any
    description: str
    class_names: Sequence[str] | None = None
    notes: DataNotes = field(default_factory=DataNotes)

    def __post_init__(self) -> None:
        """Check that there are as many inputs as targets."""
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        lengths = {len(column) for column in [*columns, self.targets]}
        if len(lengths) != 1:
            raise DataError(
                f"{self.description}: expected as many inputs as targets; received "
                f"{' and '.join(f'{length:,}' for length in sorted(lengths))}"
            )


def read_arrays(source: UserData, rank: int) -> RawExamples:
    """Read data that is in memory, in a `tf.data.Dataset` or in TFDS.

    Args:
        source: The user's data.
        rank: Of one input: 3 for an image, 0 for a text or a cell of a table.

    Raises:
        DataError: It is nothing of the kind, or a data set that can't be downloaded.
    """
    data = source.data
    if isinstance(data, Examples):
        return RawExamples(data.inputs, data.targets, data.description)
    if isinstance(data, tuple) and len(data) == 2 and all(hasattr(x, "__len__") for x in data):
        return _from_pair(*data)
    if isinstance(data, tf.data.Dataset):
        return _from_dataset(data, rank, "a tf.data.Dataset")
    if isinstance(data, str):
        return _from_tfds(data.removeprefix(TFDS_PREFIX), source.split)
    raise DataError(
        "expected a file or folder, the name of a TFDS data set, (inputs, targets), a "
        f"tf.data.Dataset or keras_fm.data.Examples; received {type(data).__name__}"
    )


def _from_pair(inputs: Any, targets: Any) -> RawExamples:
    """Return inputs and targets of any library as arrays, lists or a data frame."""
    frame = None if isinstance(inputs, dict) else array_likes.as_frame(inputs)
    if frame is not None:
        inputs = frame
    elif isinstance(inputs, dict):
        inputs = {name: array_likes.to_list(cells) for name, cells in inputs.items()}
    else:
        inputs = array_likes.to_list(inputs)
    class_names = None
    table = array_likes.as_frame(targets)
    if table is not None and len(table.columns) > 1:  # one-hot, or refused as no targets
        class_names = [*map(array_likes.column_name, table.columns)]
        values = table.to_numpy()
    elif table is not None and len(table.columns):
        values = array_likes.to_list(table.iloc[:, 0])
    else:
        values = array_likes.to_list(targets)
    for array in (inputs, values):
        if isinstance(array, np.ndarray) and not array.ndim:
            raise DataError(f"expected arrays of examples; received a single value, {array}")
    return RawExamples(inputs, values, f"arrays of {len(values):,} examples", class_names)


def _from_tfds(name: str, split: str) -> RawExamples:
    try:
        info = datasets.builder(name).info
    except UnknownNameError as error:
        raise DataError(
            f"there is no such file or folder here, and {error}; received {name!r}"
        ) from None
    keys, description = info.supervised_keys, f"{name} {split}"
    if keys is None:
        raise DataError(
            f"the data set {name!r} of TensorFlow Datasets has no pairs of an input and a target"
        )
    class_names = getattr(info.features[keys[1]], "names", None)
    shape = getattr(info.features[keys[0]], "shape", None) or ()
    raw: RawExamples | Examples
    if len(shape) == _IMAGE_RANK and None in shape:  # images that can't stand in one array
        images = datasets.prepared(name).as_dataset(split=split, as_supervised=True)
        raw = _from_dataset(images, _IMAGE_RANK, description)
    else:
        raw = datasets.load(name, split)
    return RawExamples(raw.inputs, raw.targets, description, class_names)


def _from_dataset(dataset: tf.data.Dataset, rank: int, description: str) -> RawExamples:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        hint = "; of a dict take two: .map(lambda x: (x[...], x[...]))" * isinstance(spec, dict)
        raise DataError(f"{description}: expected elements (input, target){hint}; received {spec}")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(f"{description}: it has no end; leave out .repeat()")
    # Keras' image_dataset_from_directory and text_dataset_from_directory set it.
    class_names = getattr(dataset, "class_names", None)
    if _is_batched(tf.nest.flatten(spec[0])[0].shape, rank):
        dataset = dataset.unbatch()
    pairs = list(dataset.as_numpy_iterator())
    if not pairs:
        raise DataError(f"{description} of 0 examples: expected some to learn from")
    inputs: Any = [x for x, _ in pairs]
    if isinstance(inputs[0], dict):
        inputs = {name: np.array([row[name] for row in inputs]) for name in inputs[0]}
    elif rank and len({np.shape(x) for x in inputs}) == 1:
        inputs = np.stack(inputs)
    targets = [target for _, target in pairs]
    return RawExamples(inputs, targets, f"{description} of {len(pairs):,} examples", class_names)


def _is_batched(shape: tf.TensorShape, rank: int) -> bool:
    """Return whether elements are batches of inputs; gray images can lack the channel axis."""
    channels = shape[-1] if shape.rank else None
    is_gray_batch = (
        shape.rank == rank == _IMAGE_RANK and channels is not None and channels not in (1, 3)
    )
    return bool(shape.rank == rank + 1 or is_gray_batch)
