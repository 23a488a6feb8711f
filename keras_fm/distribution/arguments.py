"""The options `devices` and `hosts` of a training, checked before anything slow is imported."""

import json
import os
import sys
from dataclasses import dataclass

from keras_fm.errors import InvalidInputError
from keras_fm.options import check_float, check_int

AUTO = "auto"
MAX_DEVICES = 4096
HOSTS_TIMEOUT = 300.0  # seconds that processes wait for each other at the start; JAX' default
SAGEMAKER_PORT = 55527  # the one that JAX takes on Kubernetes


@dataclass(frozen=True)
class Hosts:
    """The processes of a training.

    Attributes:
        address: Of process 0, `host:port`; "" for what JAX detects.
        count: Of all processes.
        index: Of this process.
    """

    address: str
    count: int
    index: int


def check_devices(
    devices: int | None, hosts: str | None, hosts_timeout: float | None = None
) -> Hosts | None:
    """Check how many devices and processes train.

    Args:
        devices: See `train`.
        hosts: See `train`.
        hosts_timeout: See `train`.

    Returns:
        The processes; None for this one alone.

    Raises:
        InvalidInputError: One can't be, or `hosts` is set on another backend than JAX.
    """
    if devices is not None:
        check_int("devices", devices, 1, MAX_DEVICES)
    if hosts_timeout is not None:
        check_float("hosts_timeout", hosts_timeout, above=0.0, high=86400.0, unit="seconds")
        if hosts is None:
            raise InvalidInputError("hosts_timeout is for a training with hosts; leave it out")
    if hosts is None:
        return None
    backend = _backend()
    if backend not in ("jax", ""):
        raise InvalidInputError(
            f"hosts is for the JAX backend; this is the {backend} backend: run every process with "
            "KERAS_BACKEND=jax, or train on the devices of one machine (devices=)"
        )
    if hosts == AUTO:
        return _sagemaker_hosts() or Hosts("", 0, 0)
    return parse_hosts(hosts)


def parse_hosts(hosts: str) -> Hosts:
    """Return the processes that `ADDRESS:PORT,PROCESSES,INDEX` names.

    Raises:
        InvalidInputError: The text is none.
    """
    address, count, index = (*str(hosts).split(","), "", "")[:3]
    host, _, port = address.rpartition(":")
    is_complete = str(hosts).count(",") == 2 and host and port.isdecimal()
    if not (is_complete and count.isdecimal() and index.isdecimal() and int(index) < int(count)):
        raise InvalidInputError(
            "hosts is ADDRESS:PORT,PROCESSES,INDEX: where process 0 listens, how many processes "
            f"there are, and which this one is, from 0 (10.0.0.1:1234,2,0), or {AUTO!r}; received "
            f"{hosts!r}"
        )
    return Hosts(address, int(count), int(index))


def _sagemaker_hosts() -> Hosts | None:
    """Return the processes that SageMaker's variables name; JAX does not read those."""
    if not {"SM_HOSTS", "SM_CURRENT_HOST"} <= os.environ.keys():
        return None
    names = sorted(json.loads(os.environ["SM_HOSTS"]))
    index = names.index(os.environ["SM_CURRENT_HOST"])
    return Hosts(f"{names[0]}:{SAGEMAKER_PORT}", len(names), index)


def _backend() -> str:
    """Return Keras' backend; "" where nothing but the import of Keras would tell."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    return os.environ.get("KERAS_BACKEND", "")
