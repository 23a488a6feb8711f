"""From raw inputs to labelled answers, in one call."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_fm import tasks
from keras_fm.errors import UnknownNameError, suggest
from keras_fm.models import loading


def pipeline(name_or_model: str | keras.Model) -> Callable[..., list[dict[str, Any]]]:
    """A callable from raw inputs to answers, one dict an input.

    A classifier answers `label` and `probabilities` by label, a regression `value`, a generator
    `image` or `text`, how a prompt goes on. A model of images takes paths, the bytes of files, or
    arrays 0..255 of any size, one or several; a model of tables rows (dicts), a dict of columns, or
    CSV files; one of texts strings; a generator labels or prompts. What is none of these is an
    `InvalidInputError`.

    What else a task can be told, such as a generator's `seed`, is given by name; the task's
    `answer` (`keras_fm/tasks/`) says what there is.

    Args:
        name_or_model: a model's name, a run directory, or a model from `get`, `train`, `fine_tune`.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """
    model = loading.resolve_model(name_or_model)
    task = tasks.task_of(model)

    known = [*inspect.signature(task.answer).parameters][1:]

    def answer(*inputs: Any, **options: Any) -> list[dict[str, Any]]:
        for option in options:
            if option not in known:
                raise UnknownNameError(
                    f"{model.name} has no option {option!r}. {suggest(option, known)}"
                )
        return task.answer(model, *inputs, **options)

    return answer
