"""Fixtures of the tests of several devices and processes."""

from collections.abc import Iterator

import pytest
import training_processes


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End the processes that a failed test has left."""
    yield
    for process in training_processes.started:
        process.kill()
        process.communicate()
    training_processes.started.clear()
