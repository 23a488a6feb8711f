"""Inputs unlike what a classifier learned, and how well it tells them from its own."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm.calibration.calibration import Calibration, distribution_scores
from keras_fm.calibration.fitting import score_of
from keras_fm.data import datasets
from keras_fm.data.examples import Examples, take_rows
from keras_fm.errors import InvalidInputError
from keras_fm.tasks.base import Task, task_of
from keras_fm.tasks.tabular_classification.objective import roc_auc

NOISE = "noise"
MAX_INPUTS = 2000  # of other data: the standard error of an AUROC of 0.9 is below 0.01
_MAX_NOISE = 500
_NOISE_WORDS = 150  # in a text of noise
_CHARACTERS = 1000  # in a text that is cut out of a long one
_COLUMN_FACTOR = 10  # how much wider than a column its noise is


def measure(
    model: keras.Model,
    outputs: np.ndarray,
    others: Mapping[str, Any],
    calibration: Calibration | None,
) -> dict[str, dict[str, float]]:
    """Return how well a model tells other data from the examples, by their names.

    Args:
        model: A classifier.
        outputs: Its outputs for examples of its own data.
        others: What `load_others` returned.
        calibration: Says which inputs are in distribution; None where there is none: then the
            score is the energy alone.

    Returns:
        `auroc`, the area under the ROC curve of the score; `num_inputs`; and of a calibrated model
        `in_distribution`, the share of the other inputs that it takes for its own.
    """

    def scores_of(logits: np.ndarray) -> np.ndarray:
        if calibration is not None:
            return calibration.in_distribution_scores(logits)
        return distribution_scores(logits, score_of(outputs))

    own = scores_of(outputs)
    results: dict[str, dict[str, float]] = {}
    for name, inputs in others.items():
        logits = task_of(model).predictor.raw_outputs(model, inputs)
        scores = np.concatenate([own, scores_of(logits)])
        result = {
            "auroc": roc_auc(scores, np.arange(len(scores)) < len(own)),
            "num_inputs": len(logits),
        }
        if calibration is not None:
            result["in_distribution"] = float(calibration.in_distribution(logits).mean())
        results[name] = result
    return results


def load_others(model: keras.Model, examples: Examples, sources: Sequence[Any]) -> dict[str, Any]:
    """Load raw inputs of other data, by the names that they have in the results.

    Args:
        model: A classifier.
        examples: Of its own data.
        sources: What `load_inputs` takes.

    Raises:
        KerasFmError: As `load_inputs` raises it.
    """
    others: dict[str, Any] = {}
    for source in sources:
        others[source_name(source, others)] = load_inputs(model, examples, source)
    return others


def source_name(source: Any, taken: Any = ()) -> str:
    """Return what other data are called in the results."""
    if isinstance(source, (str, os.PathLike)):
        return str(source)
    name = source.description if isinstance(source, Examples) else "inputs"
    return name if name not in taken else f"{name} {len(taken) + 1}"


def load_inputs(model: keras.Model, examples: Examples, source: Any) -> Any:
    """Load raw inputs of other data, at most some 2,000.

    Args:
        model: A classifier.
        examples: Of its own data.
        source: `"noise"`; the name of a TFDS data set, whose test split is taken; or what
            `pipeline` takes: a folder, a file, an array, texts, or `Examples`.

    Raises:
        DataError: A data set can't be had.
        InvalidInputError: The inputs are none that the model takes.
    """
    task = task_of(model)
    if isinstance(source, Examples):
        return take_rows(source.inputs, slice(MAX_INPUTS))
    if isinstance(source, str) and source == NOISE:
        return noise(task, examples)
    if isinstance(source, str) and not Path(source).expanduser().exists():
        return _dataset_inputs(task, source.removeprefix("tfds:"))
    return Path(source) if isinstance(source, str) else source


def noise(task: Task, examples: Examples) -> Any:
    """Return inputs that mean nothing, by a fixed seed.

    Images of random pixels, texts of random words of the vocabulary, or rows with numbers from ten
    times as wide a range as their columns have and random categories.
    """
    random = np.random.default_rng(0)
    inputs = examples.inputs
    if isinstance(inputs, dict):
        count = min(_MAX_NOISE, len(examples))
        return {name: _column_noise(column, count, random) for name, column in inputs.items()}
    if task.spec.task_name == "image-classification":
        shape = (_MAX_NOISE, *inputs.shape[1:])
        return random.integers(0, 256, shape).astype("uint8")
    words = task.data.vocabulary.tokens  # type: ignore[attr-defined]  # of texts
    return [" ".join(random.choice(words, _NOISE_WORDS)) for _ in range(_MAX_NOISE)]


def _column_noise(column: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    if column.dtype.kind not in "fiu":
        return random.choice(column, count)
    numbers = column.astype("float64")
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    spread = _COLUMN_FACTOR * (high - low)
    return random.uniform(low - spread / 2, high + spread / 2, count).astype("float32")


def _dataset_inputs(task: Task, name: str) -> Any:
    """Return inputs of the test split of a TFDS data set; a long text is cut into texts."""
    others = datasets.load(name, "test")
    inputs = others.inputs
    is_long_text = isinstance(inputs, np.ndarray) and inputs.dtype == np.int32 and inputs.ndim == 1
    kind = _kind(inputs)
    if task.spec.task_name == "text-classification" and is_long_text:
        text = inputs.astype("<u4").tobytes().decode("utf-32-le")
        starts = range(0, len(text) - _CHARACTERS + 1, _CHARACTERS)
        return [text[start : start + _CHARACTERS] for start in starts][:MAX_INPUTS]
    if kind != task.spec.task_name.partition("-")[0]:
        raise InvalidInputError(
            f"out_of_distribution: expected data of the kind that {task.spec.name} takes "
            f"({task.spec.task_name}); received {name!r}, which holds others"
        )
    rows = take_rows(inputs, slice(MAX_INPUTS))
    return [value.decode("utf-8", "replace") for value in rows] if kind == "text" else rows


def _kind(inputs: Any) -> str:
    if isinstance(inputs, dict):
        return "tabular"
    return "image" if inputs.ndim == 4 else "text" if inputs.dtype == object else ""
