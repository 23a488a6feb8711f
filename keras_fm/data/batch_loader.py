"""Batches for `fit` and `evaluate` without TensorFlow, for the JAX backend."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras

PREFETCH = 4  # batches that are made while the training takes one


class BatchLoader(keras.utils.PyDataset):
    """Data set of `get_batch(0)`, `get_batch(1)`, ..., whose shapes may differ.

    One thread makes the batches in their order, beside the training. The workers of `PyDataset`
    would make several at once, and those of the next epoch before it has begun.

    Args:
        get_batch: Makes the batch of an index.
        num_batches: How many there are.
    """

    def __init__(self, get_batch: Callable[[int], Any], num_batches: int) -> None:
        """Create the data set; its thread starts with the first batch."""
        super().__init__()
        self.get_batch = get_batch
        self._num_batches = num_batches
        self._pool = ThreadPoolExecutor(1, "batches")
        self._pending: dict[int, Future[Any]] = {}

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._num_batches

    def __getitem__(self, index: int) -> Any:
        """Return a batch, and have the next ones made.

        The first batch begins an epoch: what is left of one that was stopped is dropped.
        """
        if index == 0 or index not in self._pending:
            for future in self._pending.values():
                future.cancel()
            self._pending.clear()
        for step in range(index, min(index + PREFETCH + 1, len(self))):
            if step not in self._pending:
                self._pending[step] = self._pool.submit(self.get_batch, step)
        return self._pending.pop(index).result()
