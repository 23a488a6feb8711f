"""Predictions for the inputs that can be read, and for each of the others the reason."""

from collections.abc import Callable
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.serving.codec import Predictions


def predict_readable(
    predict: Callable[[Any], Predictions], inputs: Any
) -> tuple[Predictions, dict[int, str]]:
    """Predict for inputs some of which can't be read.

    Where `predict` refuses them, they are halved until each part is accepted or is one input: `k`
    unreadable ones of `n` take some `2 k log2(n / k)` more calls, and no input is predicted twice.

    Args:
        predict: From some inputs to their predictions; raises an `InvalidInputError` where it
            refuses them.
        inputs: A list, or a data frame of which each row is one.

    Returns:
        The predictions of the readable inputs, in their order, and the messages of the others by
        position.
    """
    predictions: Predictions = []
    errors: dict[int, str] = {}
    parts = [(0, len(inputs))] if len(inputs) else []
    while parts:
        start, stop = parts.pop()
        try:
            predictions += predict(inputs[start:stop])
        except InvalidInputError as error:
            if stop - start == 1:
                errors[start] = str(error)
                continue
            middle = (start + stop) // 2
            parts += [(middle, stop), (start, middle)]  # the first half is the next one
    return predictions, errors
