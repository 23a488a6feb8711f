"""`evaluate`: the metrics of a model on a whole split."""

import os
from typing import Any, Literal

import keras

from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, UnknownNameError, suggest
from keras_fm.evaluation import run_examples
from keras_fm.evaluation.arguments import check_evaluate
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.options import Verbose, with_checked_options
from keras_fm.progress import with_verbose
from keras_fm.tasks.base import OnMetrics, Task, task_of

Split = Literal["test", "train", "sample"]


@with_checked_options
@with_verbose
@preserved_global_state()
def evaluate(
    name_or_model: str | os.PathLike[str] | keras.Model,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: Split | None = None,
    slice_by: str | None = None,
    quick: bool = False,
    verbose: Verbose = "auto",
    on_metrics: OnMetrics | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on all examples of a split.

    Args:
        name_or_model: A model's name, a run directory, or a model.
        data: Other examples for the same task, in all the ways that `fine_tune` takes them, or for
            a character model the path of a text; a warning counts those on which a run was trained.
            None for the examples that validated a run on a user's own data or on the sample, else
            for the data set of the model's entry.
        text: Of a CSV file of texts the column of the texts.
        target: Of a CSV file of texts the column of their classes.
        split: Of the entry's data set: `"test"` (the default), `"train"`, or `"sample"` (bundled).
        slice_by: `"label"` adds the recall of each class.
        quick: Leaves out metrics that a model is trained for, such as the classification accuracy
            score of generated images.
        verbose: 1 draws bars where it takes longer than a moment, 2 prints a line for what takes
            minutes, 0 nothing; `"auto"` is 1 on a terminal and in a notebook, else 2.
        on_metrics: Is called with the metrics that are there before a model is trained for others.

    Returns:
        The metrics of the model's task (`keras_fm/tasks/` says which and in what unit),
        `num_examples`, `data`, and `slices` where asked.

    Raises:
        DataError: The data set can't be had, or has classes that the model does not know.
        UnknownNameError: The metrics can't be sliced so.
    """
    check_evaluate(
        name_or_model, data=data, text=text, target=target, split=split, slice_by=slice_by
    )
    model = resolve_model(name_or_model)
    task: Task = task_of(model)
    if slice_by is not None and slice_by not in task.objective.slices:
        hint = suggest(slice_by, task.objective.slices)
        raise UnknownNameError(f"no slices by {slice_by!r}. {hint}")
    path = run_files.run_path(name_or_model)
    if data is None and split is None and path is not None:
        examples = run_examples.default_examples(path, task)
    elif data is None:
        examples = task.data.load(split or "test")
    elif isinstance(data, Examples):
        examples = data
    else:
        examples = task.data.load_eval_data(UserData(data, text=text, target=target))
    task.data.check(examples)
    if not len(examples):
        raise DataError(f"{examples.description}: expected examples to evaluate on; received none")
    if path is not None:
        run_examples.warn_known_examples(path, task, examples)
    metrics = evaluate_model(model, examples, slice_by, quick=quick, on_metrics=on_metrics)
    return {**metrics, "num_examples": len(examples), "data": examples.description}


def evaluate_model(
    model: keras.Model,
    examples: Examples,
    slice_by: str | None = None,
    *,
    outputs: Any = None,
    quick: bool = False,
    on_metrics: OnMetrics | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on examples that were checked.

    Args:
        model: The model.
        examples: Of its task.
        slice_by: See `evaluate`.
        outputs: What the objective's `outputs` returned for them, if it was called before.
        quick: See `evaluate`.
        on_metrics: See `evaluate`.
    """
    objective = task_of(model).objective
    if objective.evaluator_name is not None:
        evaluator = GeneratorEvaluator(objective.evaluator_name)
        outputs = objective.evaluator_outputs(
            model, examples, evaluator, quick=quick, on_metrics=on_metrics
        )
    return objective.evaluate(model, examples, slice_by, outputs=outputs)
