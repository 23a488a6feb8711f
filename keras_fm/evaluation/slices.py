"""Metrics by slice: of each class, of the quartiles of a column of numbers, of each category."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import fairness, intervals, slicing
from keras_fm.registry.tasks import is_classification
from keras_fm.tasks.base import ExampleScores, Task


def sliced_metrics(
    task: Task, examples: Examples, outputs: Any, slice_by: Sequence[str]
) -> dict[str, Any]:
    """Return `slices`, and of a classifier of two classes `fairness` between a column's groups.

    Args:
        task: Of the model.
        examples: Of its data.
        outputs: What its objective's `outputs` returned for them.
        slice_by: Of the objective's `slices`, or of the examples' further columns.

    Raises:
        DataError: A column has too many different strings.
        InvalidInputError: The task has no slices.
    """
    scores = example_scores(task, outputs, examples)
    masks = {name: masks_of(task, examples, outputs, name) for name in slice_by}
    results: dict[str, Any] = {
        "slices": {name: _slice_metrics(scores, masks[name]) for name in slice_by}
    }
    if is_classification(task.spec.task_name) and len(task.spec.labels) == 2:
        targets, predicted = np.asarray(examples.targets), outputs.argmax(-1)
        fairness_by_column = {
            name: fairness.group_fairness(masks[name], targets, predicted)
            for name in slice_by
            if is_column(task, examples, name) and not _are_classes(masks[name], targets)
        }
        if fairness_by_column:
            results["fairness"] = fairness_by_column
    return results


def _are_classes(masks: slicing.Masks, targets: np.ndarray) -> bool:
    """Return whether each group is of one class, as those of the column of the classes are."""
    return all(len(np.unique(targets[mask])) < 2 for mask in masks.values())


def example_scores(task: Task, outputs: Any, examples: Examples) -> ExampleScores:
    """Return the first metric as a score of each example.

    Raises:
        InvalidInputError: It is not the mean of such scores.
    """
    scores = task.objective.example_scores(outputs, examples)
    if scores is None:
        raise InvalidInputError(
            "expected a classifier or a regression; the metrics of "
            f"{task.spec.name} ({task.spec.task_name}) are not of single examples"
        )
    return scores


def masks_of(task: Task, examples: Examples, outputs: Any, slice_by: str) -> slicing.Masks:
    """Return a mask of each slice.

    Raises:
        DataError: A column has too many different strings, or another length.
    """
    values = task.objective.slice_values(outputs, examples, slice_by)
    if slice_by in task.objective.slices and slice_by == "label":
        return slicing.label_masks(values)
    if values.shape != (len(examples),):
        raise DataError(
            f"{examples.description}: expected a column {slice_by!r} [{len(examples)}]; received "
            f"{values.dtype} {list(values.shape)}"
        )
    return slicing.slice_masks(values, slice_by)


def is_column(task: Task, examples: Examples, slice_by: str) -> bool:
    """Return whether slices are those of a table's column, and not of the class or the input."""
    target = task.spec.target
    if slice_by == "label" or (target is not None and slice_by == target.name):
        return False
    is_input = isinstance(examples.inputs, Mapping) and slice_by in examples.inputs
    return is_input or slice_by not in task.objective.slices


def _slice_metrics(scores: ExampleScores, masks: slicing.Masks) -> dict[str, dict[str, Any]]:
    """Return the metric, its interval and the count of each slice, the worst one first."""
    subsets = {name: scores.subset(mask) for name, mask in masks.items()}
    sign = -1 if scores.is_error else 1
    ordered = sorted(subsets, key=lambda name: sign * subsets[name].value)
    return {
        name: {
            scores.metric: subsets[name].value,
            "interval": intervals.metric_interval(subsets[name]),
            "num_examples": len(subsets[name].values),
        }
        for name in ordered
    }
