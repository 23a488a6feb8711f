"""Data that is in no file of the user: arrays, `tf.data` and TFDS data sets."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.data.user.source import TFDS_PREFIX, UserData
from keras_fm.errors import DataError, UnknownNameError
from keras_fm.file_errors import missing_file
from keras_fm.formatting import format_count
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import array_likes

_IMAGE_RANK = 3


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
    # Who has such a data set has imported TensorFlow.
    if "tensorflow" in sys.modules and isinstance(data, tf.data.Dataset):
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
    return RawExamples(
        inputs, values, f"arrays of {format_count(len(values), 'example')}", class_names
    )


def _from_tfds(name: str, split: str) -> RawExamples:
    try:
        info = datasets.builder(name).info
    except UnknownNameError as error:
        raise DataError(
            f"{error}; received {name!r}, and {missing_file(name, 'file or folder')}"
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
    return RawExamples(
        inputs, targets, f"{description} of {format_count(len(pairs), 'example')}", class_names
    )


def _is_batched(shape: tf.TensorShape, rank: int) -> bool:
    """Return whether elements are batches of inputs; gray images can lack the channel axis."""
    channels = shape[-1] if shape.rank else None
    is_gray_batch = (
        shape.rank == rank == _IMAGE_RANK and channels is not None and channels not in (1, 3)
    )
    return bool(shape.rank == rank + 1 or is_gray_batch)
