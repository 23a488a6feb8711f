"""Permutation importance of the columns of a table, over a data set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from keras_fm.data.user.source import UserData
from keras_fm.evaluation.loading import load_examples
from keras_fm.evaluation.permutation_importance import permutation_importance
from keras_fm.formatting import format_count
from keras_fm.models import run_files
from keras_fm.tasks.base import ScoredObjective, Task, task_of


@dataclass(frozen=True)
class Importance:
    """How much worse a model gets where a column's cells are shuffled.

    Attributes:
        columns: By column, the most important one first, in the unit of the metric.
        metric: Its name.
        data: What was predicted, in words.
        num_examples: How many rows that is.
    """

    columns: Mapping[str, float]
    metric: str
    data: str
    num_examples: int

    def __str__(self) -> str:
        """Return one line."""
        columns = ", ".join(f"{name} {value:+.4g}" for name, value in self.columns.items())
        rows = format_count(self.num_examples, "row")
        return (
            f"permutation_importance on {rows} of {self.data}, how much worse {self.metric} gets "
            f"where a column is shuffled: {columns}"
        )


def measure_importance(
    name_or_model: str | os.PathLike[str] | keras.Model, model: keras.Model, data: Any
) -> Importance:
    """Measure the permutation importance of a model's columns.

    Args:
        name_or_model: As a user named the model: of a run it is measured on what validated it.
        model: The same, loaded.
        data: The user's rows with their targets; None for what `evaluate` takes.

    Raises:
        DataError: The rows can't be had, or do not fit the model.
    """
    task: Task = task_of(model)
    path = run_files.run_path(name_or_model)
    user_data = None if data is None else UserData(data)
    examples = load_examples(task, path, user_data, None)
    columns = permutation_importance(model, examples)
    assert isinstance(task.objective, ScoredObjective), "models of tables have metrics"
    first_row = examples.subset(slice(1), examples.description)
    scores = task.objective.example_scores(task.objective.outputs(model, first_row), first_row)
    assert scores is not None, "models of tables have a score of each row"
    return Importance(columns, scores.metric, examples.description, len(examples))
