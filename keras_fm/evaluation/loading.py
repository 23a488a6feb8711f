"""The examples that a model is evaluated on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.evaluation import run_examples
from keras_fm.evaluation.arguments import check_slices
from keras_fm.tasks.base import Task


def load_examples(
    task: Task,
    path: Path | None,
    user_data: UserData | None,
    split: str | None,
    slice_by: Sequence[str] = (),
) -> Examples:
    """Load the examples that a model is evaluated on, and check them.

    Args:
        task: Of the model.
        path: The run that it is from; None where it is from none.
        user_data: A user's data; None for the examples that validated the run, or the data set of
            the model's entry.
        split: Of that data set; None for the default.
        slice_by: What metrics are sliced by, which may be columns of the user's data.

    Raises:
        DataError: They can't be had, or the model can't be evaluated on them.
        UnknownNameError: The metrics can't be sliced so.
    """
    if user_data is None:
        check_slices(task.spec.name, task.objective.slices, slice_by)
    if user_data is not None:
        examples = _load_user_data(task, user_data, slice_by)
    elif split is None and path is not None:
        examples = run_examples.default_examples(path, task)
    else:
        examples = task.data.load(split or "test")
    task.data.check(examples)
    if not len(examples):
        raise DataError(f"{examples.description}: expected examples to evaluate on; received none")
    if path is not None:
        run_examples.warn_known_examples(path, task, examples)
    return examples


def _load_user_data(task: Task, user_data: UserData, slice_by: Sequence[str]) -> Examples:
    known, examples = task.objective.slices, user_data.data
    if not isinstance(examples, Examples):
        further = tuple(name for name in slice_by if name not in known)
        examples = task.data.load_eval_data(replace(user_data, columns=further))
    # The images that a generator is evaluated by are not the examples.
    columns = examples.columns if task.objective.evaluator_name is None else ()
    check_slices(task.spec.name, [*known, *columns], slice_by)
    return examples
