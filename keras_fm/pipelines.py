"""From raw inputs to labelled answers, in one call."""

from collections.abc import Callable
from typing import Any

import keras

from keras_fm import runs, tasks


def pipeline(name_or_model: str | keras.Model) -> Callable[[Any], list[dict[str, Any]]]:
    """A callable from raw inputs to answers, one dict an input.

    A classifier answers `label` and `probabilities` by label, a regression `value`. A model of
    images takes paths, the bytes of files, or arrays 0..255 of any size, one or several; a model of
    tables takes rows (dicts), a dict of columns, or CSV files. What is none of these is an
    `InvalidInputError`.

    Args:
        name_or_model: a model's name, a run directory, or a model from `get`, `train`, `fine_tune`.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """
    model = runs.as_model(name_or_model)
    task = tasks.of(model)

    def answer(inputs: Any) -> list[dict[str, Any]]:
        return task.answer(model, inputs)

    return answer
