"""Errors of JAX that are of another process are told as such."""

import pytest

pytest.importorskip("jax")

from keras_fm.distribution import processes

CLOSED = "UNKNOWN: Gloo AllGather failed: [pair.cc:547] Connection closed by peer [127.0.0.1]:19107"
UNREACHED = (
    "UNKNOWN: Gloo context initialization failed: [pair.cc:152] timed out connecting: SO_ERROR: "
    "Connection refused, remote=[127.0.0.1]:19348$0"
)


def test_a_closed_connection_is_of_another_process():
    error = processes.error_of_others(RuntimeError(CLOSED))
    assert str(error).startswith("process 0 of 1 stops, for another one ended")


def test_a_machine_that_is_localhost_by_its_own_name_is_told():
    error = processes.error_of_others(RuntimeError(UNREACHED))
    assert "has the address 127.0.0.1 by its own name" in str(error)


def test_an_error_of_this_process_is_none_of_another():
    assert processes.error_of_others(RuntimeError("RESOURCE_EXHAUSTED: Out of memory")) is None
