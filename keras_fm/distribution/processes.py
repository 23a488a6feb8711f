"""Processes that train one model together, on one machine or on several, over `jax.distributed`.

Process 0 writes the run. The others do the same in a folder that is deleted in the end.
"""

import atexit
import hashlib
import io
import math
import os
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import entry_points, version
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from keras_fm import __version__
from keras_fm.distribution import rendezvous
from keras_fm.distribution.arguments import Hosts
from keras_fm.errors import DistributedError, InvalidInputError, KerasFmError

CONNECT_SECONDS = 120  # for JAX to connect processes that have met
HEARTBEAT_SECONDS = 30  # without a sign of life a process counts as ended


def join(hosts: Hosts, devices: int | None, timeout: float) -> None:
    """Connect this process with the others.

    Args:
        hosts: The processes.
        devices: Of each process; None for all.
        timeout: Seconds to wait for the others.

    Raises:
        InvalidInputError: There are none to detect, or JAX has been used already.
        DistributedError: See `rendezvous.meet`.
    """
    global _joined
    if _joined is not None:  # by a training before
        if _joined != hosts:
            raise InvalidInputError(
                f"this process has trained as process {_joined.index} of {_joined.count} at "
                f"{_joined.address or 'the detected address'}: give the same hosts again, or train "
                "in a new process"
            )
        return
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
        settings = {"devices": devices, **{name: version(name) for name in ("jax", "keras")}}
        rendezvous.meet(hosts, {**settings, "keras_fm": __version__}, timeout)
    try:
        jax.distributed.initialize(
            **options,
            initialization_timeout=CONNECT_SECONDS if hosts.address else math.ceil(timeout),
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
    _joined = hosts


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


def check_same(values: Mapping[str, str]) -> None:
    """Check that all processes have what process 0 has.

    Args:
        values: Of this process, by a name for the error; the same names in all processes.

    Raises:
        DistributedError: One has another value; in all processes.
    """
    digests = [hashlib.sha256(value.encode()).digest() for value in values.values()]
    array = np.frombuffer(b"".join(digests), "uint8").reshape(len(digests), -1)
    gathered = np.asarray(multihost_utils.process_allgather(array))
    differs = (gathered != gathered[0]).any(axis=-1)  # [processes, values]
    for name, is_other in zip(values, differs.T, strict=True):
        if is_other.any():
            indices = ", ".join(map(str, np.flatnonzero(is_other)))
            subject = (
                f"process {indices} has" if is_other.sum() == 1 else f"processes {indices} have"
            )
            raise DistributedError(
                f"{subject} another {name} than process 0: run the same command on the same data "
                "in each"
            )


def error_of_others(error: Exception) -> DistributedError | None:
    """Return what an exception of JAX says of another process; None where it is of this one."""
    text = str(error)
    if not ("Gloo" in text or "coordination service" in text.lower()):
        return None
    if "initialization failed" in text and "remote=[127." in text:
        return DistributedError(
            f"process {jax.process_index()} of {jax.process_count()} can't reach another one, "
            "whose machine has the address 127.0.0.1 by its own name: where the processes are on "
            "several machines, give each its address by its name (/etc/hosts)"
        )
    return DistributedError(
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


def leave_at_once(error: BaseException) -> None:
    """Let this process exit without JAX' wait for the others, which wait for this one.

    Args:
        error: What ends it, which has the exit code of the command line.
    """
    if not jax.distributed.is_initialized():
        return
    is_interrupt, is_ours = (isinstance(error, x) for x in (KeyboardInterrupt, KerasFmError))
    is_ours = is_ours and not isinstance(error, DistributedError)
    atexit.register(_exit, 130 if is_interrupt else 2 if is_ours else 1)


def _exit(code: int | None) -> None:
    """Exit before JAX' own handler; None is for 0, or 1 after an exception."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(int(hasattr(sys, "last_value")) if code is None else code)


_joined: Hosts | None = None


def _broadcast(content: bytes) -> bytes:
    """Return the bytes that process 0 has."""
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(size, "uint8")
    if is_first():
        padded[:] = np.frombuffer(content, "uint8")
    return np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes()
