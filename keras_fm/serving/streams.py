"""Iterators of raw inputs, which are predicted in batches: one of any length fits into memory."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from keras_fm.errors import InvalidInputError, UnknownNameError

BATCH = 64  # inputs that are read at once: of large photos, a few hundred megabytes


def is_stream(inputs: Any) -> bool:
    """Return whether inputs are an iterator, such as a generator; an open file is one input."""
    return isinstance(inputs, Iterator) and not hasattr(inputs, "read")


def predict_stream(
    inputs: Iterator[Any], predict: Callable[[list[Any], int], list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Yield the prediction of each input.

    Args:
        inputs: Raw inputs.
        predict: From some of them, and how many came before, to predictions.
    """
    start = 0
    while batch := list(islice(inputs, BATCH)):
        try:
            predictions = predict(batch, start)
        except (InvalidInputError, UnknownNameError) as error:
            where = f"of the inputs from number {start} on, counted from 0: " * bool(start)
            raise type(error)(f"{where}{error}") from None
        yield from predictions
        start += len(batch)
