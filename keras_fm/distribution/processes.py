"""Processes that train one model together, on one machine or on several, over `jax.distributed`.

Process 0 writes the run. The others do the same in a folder that is deleted in the end.
"""

import atexit
import io
import os
import socket
import sys
import tarfile
import time
from importlib.metadata import entry_points
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from keras_fm.distribution.arguments import Hosts
from keras_fm.errors import InvalidInputError, RunError

START_SECONDS = 300  # that the processes wait for each other at the start; JAX' default
HEARTBEAT_SECONDS = 30  # without a sign of life a process counts as ended


def join(hosts: Hosts) -> None:
    """Connect this process with the others.

    Raises:
        InvalidInputError: There are none to detect, or JAX has been used already.
        RunError: Process 0 can't be reached.
    """
    # A process that ended is then an exception in the others, and not the end of theirs too, with a
    # stack trace of C++. GPUs wait for it instead: there JAX has to end them.
    has_accelerators = bool(entry_points(group="jax_plugins"))
    jax.config.update("jax_enable_recoverability", not has_accelerators)
    jax.config.update("jax_enable_preemption_service", False)
    options = {}
    if hosts.address:
        options = {
            "coordinator_address": hosts.address,
            "num_processes": hosts.count,
            "process_id": hosts.index,
            "cluster_detection_method": "deactivate",
        }
        if hosts.index:
            _wait_for(hosts.address)
    try:
        jax.distributed.initialize(
            **options,
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except ValueError:
        raise InvalidInputError(
            "hosts='auto' finds no variables of Slurm, Open MPI, Kubernetes or SageMaker: name the "
            "processes, such as hosts='10.0.0.1:1234,2,0'"
        ) from None
    except RuntimeError as error:
        raise InvalidInputError(
            f"this process can't join the others at {hosts.address or 'the detected address'}: "
            f"{str(error).splitlines()[0]}"
        ) from None
    multihost_utils.sync_global_devices("joined")


def is_first() -> bool:
    """Return whether this process writes."""
    return jax.process_index() == 0


def send_folder(folder: Path) -> None:
    """Send the files of a folder of process 0 to the same folder, which is empty, of the others.

    They need not share a file system. What TensorBoard shows stays where it is.
    """
    packed = b""
    if is_first() and folder.is_dir():
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(folder, ".", filter=lambda item: None if item.name == "./logs" else item)
        packed = stream.getvalue()
    packed = _broadcast(packed)
    if packed and not is_first():
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")


def agree_with_first(choice: bool) -> bool:
    """Return what process 0 has chosen."""
    return bool(int(multihost_utils.broadcast_one_to_all(np.int32(choice))))


def check_same(title: str, digest: str) -> None:
    """Check that this process has what process 0 has.

    Args:
        title: What, for the error.
        digest: Of it.

    Raises:
        RunError: It has another.
    """
    if _broadcast(digest.encode()) != digest.encode():
        raise RunError(
            f"process {jax.process_index()} has other {title} than process 0: run the same command "
            "on the same data in each"
        )


def is_of_others(error: Exception) -> bool:
    """Return whether an exception says that another process ended, or can't be reached."""
    text = str(error)
    return "Gloo" in text or "coordination service" in text.lower()


def ended_by_others() -> RunError:
    """Return the error of a training of which a process ended."""
    return RunError(
        f"process {jax.process_index()} of {jax.process_count()} stops, for another one ended or "
        "can't be reached: see what that one printed, and resume the run in all (resume=True, "
        "--resume), or in fewer"
    )


def finish() -> None:
    """Wait until all processes have trained; those that don't write let go of the first one.

    JAX would end them with a stack trace of C++ where they leave after it.
    """
    multihost_utils.sync_global_devices("trained")
    if not is_first():
        atexit.register(_exit, None)


def leave_at_once() -> None:
    """Let this process exit without JAX' wait for the others, which wait for this one."""
    atexit.register(_exit, 2)


def _exit(code: int | None) -> None:
    """Exit before JAX' own handler; None is for 0, or 1 after an exception."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(int(hasattr(sys, "last_value")) if code is None else code)


def _broadcast(content: bytes) -> bytes:
    """Return the bytes that process 0 has."""
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(size, "uint8")
    if is_first():
        padded[:] = np.frombuffer(content, "uint8")
    return np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes()


def _wait_for(address: str) -> None:
    """Wait until process 0 listens; JAX would end this process with a stack trace of C++."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise RunError(
                    f"process 0 can't be reached at {address} within {START_SECONDS} seconds: "
                    f"{error.strerror or error}"
                ) from None
        time.sleep(0.5)
