"""What is measured of raw inputs, and of what an export predicts for them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import bucket_by_length, pad_sequences
from keras_fm.preprocessing.images.loading import load_photos
from keras_fm.preprocessing.tables.columns import plain_names
from keras_fm.preprocessing.tables.inputs import read_rows, row_name_of, to_columns
from keras_fm.preprocessing.tables.parsers import check_strings
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.preprocessing.texts.vocabulary import UNK_ID
from keras_fm.registry.tasks import task_module
from keras_fm.tasks.base import Task
from keras_fm.tasks.tabular_slices import column_values

INPUT, OUTPUT = "input", "output"
Values = dict[str, np.ndarray]
Arrays = Mapping[str, np.ndarray]
# From the name of an export's signature and arrays by name to its outputs.
Call = Callable[[str, dict[str, np.ndarray]], Arrays]
_MAX_WIDTH = 2000  # dimensions of an embedding in the file
_SIZE_FEATURES = ("width", "height", "aspect ratio")


def feature(role: str, name: str) -> str:
    """Return the key of a feature: a column may be called as an output is."""
    return f"{role}:{name}"


def has_sketch(task_name: str) -> bool:
    """Return whether inputs of a task are measured: those of classifiers and regressions."""
    kind = task_module(task_name, "codec").CODEC.input_kind
    return task_name.endswith(("classification", "regression")) and kind in _MEASURES


def measure(task: Task, call: Call, inputs: Any) -> Values:
    """Measure some raw inputs, and what an export predicts for them.

    Args:
        task: Of the export.
        call: Runs a signature of it.
        inputs: As a pipeline takes them.

    Returns:
        Numbers (NaN where one is missing), dates and strings `[inputs]`, and `embedding`
        `[inputs, width]`, by `feature`.

    Raises:
        InvalidInputError: An input is none that the model takes.
    """
    kind = task_module(task.spec.task_name, "codec").CODEC.input_kind
    of_inputs, outputs = _MEASURES[kind](task, call, inputs)
    values = {feature(INPUT, name): value for name, value in of_inputs.items()}
    return values | {
        feature(OUTPUT, name): value for name, value in _measure_outputs(task, outputs).items()
    }


def without_sizes(values: Values) -> Values:
    """Return what was measured of images that were resized before, whose sizes say nothing."""
    sizes = [feature(INPUT, name) for name in _SIZE_FEATURES]
    return {name: value for name, value in values.items() if name not in sizes}


def _measure_images(task: Any, call: Call, inputs: Any) -> tuple[Values, Arrays]:
    images, photos = load_photos(inputs, *task.data.shape)
    gray = images.mean(-1)
    heights, widths = np.array([photo.size for photo in photos], "float64").T
    values = {
        "brightness": gray.mean((1, 2)),
        "contrast": gray.std((1, 2)),
        "sharpness": (
            np.abs(np.diff(gray, axis=1)).mean((1, 2)) + np.abs(np.diff(gray, axis=2)).mean((1, 2))
        ),
        "width": widths,
        "height": heights,
        "aspect ratio": widths / heights,
    }
    if images.shape[-1] == 3:
        highest = images.max(-1)
        spread = highest - images.min(-1)
        values["saturation"] = (spread / np.maximum(highest, 1)).mean((1, 2))
    # `pixels` takes an image that is black but for a 1 for one that was scaled to 0..1.
    is_black = images.max((1, 2, 3), keepdims=True) <= 1
    return values, call("pixels", {"image": np.where(is_black, np.float32(0), images)})


def _measure_texts(task: Any, call: Call, inputs: Any) -> tuple[Values, Arrays]:
    texts = read_texts(inputs)
    token_ids = task.data.token_ids(texts)
    unknown_id = getattr(task.data.vocabulary.tokenizer, "unk_id", UNK_ID)
    values = {
        "characters": np.array([len(text.decode("utf-8", "replace")) for text in texts], "float64"),
        "tokens": np.array([len(ids) for ids in token_ids], "float64"),
        "unknown tokens": np.array([np.mean(ids == unknown_id) for ids in token_ids]),
    }
    outputs: dict[str, np.ndarray] = {}
    for bucket in bucket_by_length(token_ids, task.data.eval_batch_size):
        for name, rows in call("token_ids", {"text_ids": pad_sequences(token_ids[bucket])}).items():
            array = outputs.setdefault(name, np.empty((len(texts), *rows.shape[1:]), rows.dtype))
            array[bucket] = rows
    return values, outputs


def _measure_rows(task: Any, call: Call, inputs: Any) -> tuple[Values, Arrays]:
    table, columns = to_columns(inputs), task.data.columns
    raw = read_rows(table, columns)
    check_strings(columns, raw, partial(row_name_of, table))
    rows = Examples(raw, np.zeros(len(next(iter(raw.values())))), "rows")
    values = {column.name: column_values(columns, rows, column.name) for column in columns}
    request = {plain: raw[name] for name, plain in plain_names(columns).items()}
    outputs = {**call("serving_default", request), **call("features", request)}
    return {name: value for name, value in values.items() if value is not None}, outputs


_MEASURES = {"image": _measure_images, "text": _measure_texts, "row": _measure_rows}


def _measure_outputs(task: Task, outputs: Arrays) -> Values:
    values: Values = {}
    if "probabilities" in outputs:
        probabilities = outputs["probabilities"]
        values["predicted class"] = np.array(task.spec.labels, object)[probabilities.argmax(-1)]
        values["confidence"] = probabilities.max(-1)
    if "value" in outputs:
        values["predicted value"] = outputs["value"]
    if "embedding" in outputs:
        values["embedding"] = _thinned(outputs["embedding"])
    return values


def _thinned(embedding: np.ndarray) -> np.ndarray:
    """Return a vector for each input; of a very wide one, dimensions at equal distances."""
    vectors = embedding.reshape(len(embedding), -1)
    return vectors[:, :: -(-vectors.shape[1] // _MAX_WIDTH)]
