"""`BatchLoader`: the batches of an epoch in order, made by one thread."""

import threading
import time

import numpy as np
import pytest

from keras_fm.data import batches as batches_module
from keras_fm.data.batch_loader import PREFETCH, BatchLoader


def test_batches_come_in_their_order_and_an_epoch_begins_anew():
    epoch = 0
    loader = BatchLoader(lambda index: (epoch, index), 10)
    assert list(loader) == [(0, index) for index in range(10)]
    epoch = 1
    assert list(loader) == [(1, index) for index in range(10)]


def test_an_epoch_that_was_stopped_leaves_no_batch_to_the_next():
    epoch = 0
    loader = BatchLoader(lambda index: (epoch, index), 10)
    assert loader[0] == (0, 0)  # the next ones are made meanwhile, as of epoch 0
    epoch = 3
    assert [loader[0], loader[1]] == [(3, 0), (3, 1)]


def test_one_thread_makes_some_batches_ahead_and_no_more():
    made, threads = [], set()

    def get_batch(index):
        made.append(index)
        threads.add(threading.current_thread())
        return index

    loader = BatchLoader(get_batch, 100)
    assert loader[0] == 0
    deadline = time.monotonic() + 30
    while len(made) <= PREFETCH and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made == list(range(PREFETCH + 1))
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def test_an_error_in_a_batch_is_that_of_the_training():
    loader = BatchLoader(lambda index: {0: "first"}[index], 2)
    assert loader[0] == "first"
    with pytest.raises(KeyError):
        loader[1]


def test_arrays_are_the_same_batches_as_those_of_tf_data(monkeypatch):
    inputs = {"size": np.arange(7.0), "kind": np.arange(7)}
    weights = np.ones(7, "float32")
    expected = list(batches_module.dataset_from_arrays(inputs, weights, batch_size=3))
    monkeypatch.setattr(batches_module, "uses_tf_data", lambda: False)
    loader = batches_module.dataset_from_arrays(inputs, weights, batch_size=3)
    assert len(loader) == 3
    for (columns, ones), (tensors, tensor) in zip(loader, expected, strict=True):
        assert columns.keys() == tensors.keys()
        for name, column in columns.items():
            np.testing.assert_array_equal(column, tensors[name].numpy())
        np.testing.assert_array_equal(ones, tensor.numpy())
