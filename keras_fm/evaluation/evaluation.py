"""`evaluate`: the metrics of a model on a whole split."""

import os
from typing import Any, Literal

import keras

from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, UnknownNameError, suggest
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.tasks.base import Task, task_of

Split = Literal["test", "train", "sample"]


@preserved_global_state()
def evaluate(
    name_or_model: str | os.PathLike[str] | keras.Model,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: Split = "test",
    slice_by: str | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on all examples of a split.

    Args:
        name_or_model: A model's name, a run directory, or a model.
        data: Other examples for the same task, in all the ways that `fine_tune` takes them, or for
            a character model the path of a text; None for the data set of the model's entry.
        text: Of a CSV file of texts the column of the texts.
        target: Of a CSV file of texts the column of their classes.
        split: Of the entry's data set: `"test"`, `"train"`, or `"sample"` (bundled).
        slice_by: `"label"` adds the recall of each class.

    Returns:
        The metrics of the model's task (`keras_fm/tasks/` says which and in what unit),
        `num_examples`, `data`, and `slices` where asked.

    Raises:
        DataError: The data set can't be had, or has classes that the model does not know.
        UnknownNameError: The metrics can't be sliced so.
    """
    model = resolve_model(name_or_model)
    task: Task = task_of(model)
    if slice_by is not None and slice_by not in task.objective.slices:
        hint = suggest(slice_by, task.objective.slices)
        raise UnknownNameError(f"no slices by {slice_by!r}. {hint}")
    if data is None:
        examples = task.data.load(split)
    elif isinstance(data, Examples):
        examples = data
    else:
        examples = task.data.load_eval_data(UserData(data, text=text, target=target))
    task.data.check(examples)
    if not len(examples):
        raise DataError(f"{examples.description}: expected examples to evaluate on; received none")
    metrics = evaluate_model(model, examples, slice_by)
    return {**metrics, "num_examples": len(examples), "data": examples.description}


def evaluate_model(
    model: keras.Model, examples: Examples, slice_by: str | None = None, *, outputs: Any = None
) -> dict[str, Any]:
    """Return the metrics of a model on examples that were checked.

    Args:
        model: The model.
        examples: Of its task.
        slice_by: See `evaluate`.
        outputs: What the objective's `outputs` returned for them, if it was called before.
    """
    objective = task_of(model).objective
    if objective.evaluator_name is not None:
        evaluator = GeneratorEvaluator(objective.evaluator_name)
        outputs = objective.evaluator_outputs(model, examples, evaluator)
    return objective.evaluate(model, examples, slice_by, outputs=outputs)
