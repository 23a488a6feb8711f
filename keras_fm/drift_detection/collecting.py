"""Fills a sketch with requests, a chunk at a time; what can't be read is counted."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_fm.batch_prediction.source import Chunk
from keras_fm.errors import DataError, KerasFmError
from keras_fm.formatting import choose_form, first_line, format_count
from keras_fm.sketches.measuring import Call, Values, measure
from keras_fm.tasks.base import PREDICT_BATCH_SIZE, Task

_MAX_TRIES = 100  # inputs none of which can be read, before it is an error


class Collector:
    """Measures chunks of inputs, without those that can't be read.

    Args:
        task: Of the export.
        call: Runs a signature of it.
    """

    def __init__(self, task: Task, call: Call) -> None:
        self.task = task
        self.call = call
        self.num_measured = 0
        self.num_broken = 0
        self.first_broken = ""

    def measure(self, chunk: Chunk) -> Iterator[Values]:
        """Yield what was measured of the inputs of a chunk.

        Raises:
            DataError: None of many inputs can be read.
        """
        for start in range(0, len(chunk.inputs), PREDICT_BATCH_SIZE):
            stop = min(start + PREDICT_BATCH_SIZE, len(chunk.inputs))
            yield from self._measure(chunk, start, stop)

    def check(self, description: str) -> None:
        """Raise a `DataError` where nothing was measured."""
        if self.num_measured:
            return
        if self.num_broken:
            raise DataError(f"{description}: none of the inputs can be read: {self.first_broken}")
        raise DataError(f"{description} holds no request that the model predicts for")

    @property
    def notes(self) -> list[str]:
        """A sentence on inputs that can't be read."""
        if not self.num_broken:
            return []
        total = self.num_broken + self.num_measured
        return [
            f"{self.num_broken:,} of {format_count(total, 'input')} can't be read and "
            f"{choose_form(self.num_broken, 'is', 'are')} left out, the first one: "
            f"{self.first_broken}"
        ]

    def _measure(self, chunk: Chunk, start: int, stop: int) -> Iterator[Values]:
        """Measure a range of a chunk, or its halves where an input of it can't be read."""
        try:
            values = measure(self.task, self.call, _rows(chunk.inputs, start, stop))
        except KerasFmError as error:
            if stop - start > 1:
                middle = (start + stop) // 2
                yield from self._measure(chunk, start, middle)
                yield from self._measure(chunk, middle, stop)
            else:
                self._count_broken(chunk, start, error)
            return
        self.num_measured += stop - start
        yield values

    def _count_broken(self, chunk: Chunk, position: int, error: KerasFmError) -> None:
        self.num_broken += 1
        name = chunk.frame["record"].iloc[position] if "record" in chunk.frame else ""
        reason = first_line(error)
        self.first_broken = self.first_broken or (f"{name}: {reason}" if name else reason)
        if self.num_broken >= _MAX_TRIES and not self.num_measured:
            raise DataError(f"none of the first {_MAX_TRIES} inputs can be read: {reason}")


def _rows(inputs: Any, start: int, stop: int) -> Any:
    rows = inputs.iloc[start:stop] if hasattr(inputs, "iloc") else inputs[start:stop]
    return rows if not isinstance(rows, np.ndarray) else [*rows]
