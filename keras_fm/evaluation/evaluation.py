"""Measures a model on a whole split."""

from typing import Any

import keras

from keras_fm import tasks
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import UnknownNameError, suggest
from keras_fm.models import loading


def evaluate(
    name_or_model: str | keras.Model,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: str = "test",
    slices: str | None = None,
) -> dict[str, Any]:
    """The metrics of a model on all examples of a split.

    Args:
        name_or_model: a model's name, a run directory, or a model.
        data: other examples for the same task, in all the ways that `fine_tune` takes them, or
            for a model of characters the path of a text; None: the data set that the model is for.
        text, target: of a CSV file of texts the columns of the texts and of their classes.
        split: of that data set: "test", "train", or "sample" (bundled with the package).
        slices: "label" adds the accuracy of each class.

    Returns:
        The metrics of the model's task (`keras_fm/tasks/` says which and in what unit),
        `examples`, `data`, and `slices` where asked.

    Raises:
        DataError: the data set is neither here nor to be had, or has classes that the model does
            not know.
    """
    model = loading.resolve_model(name_or_model)
    task = tasks.task_of(model)
    if slices is not None and slices not in task.slices:
        raise UnknownNameError(f"no slices by {slices!r}. {suggest(slices, task.slices)}")
    if data is None:
        examples = task.load(split)
    elif isinstance(data, Examples):
        examples = data
    else:
        examples = task.read(UserData(data, text=text, target=target))
    task.check(examples)
    scores = task.measure(model, examples, slices)
    return {**scores, "examples": len(examples), "data": examples.description}
