"""The decorator of the functions that train: on which devices, in which processes."""

import atexit
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras

from keras_fm.distribution.arguments import HOSTS_TIMEOUT, Hosts, check_devices
from keras_fm.distribution.devices import Devices, on_devices
from keras_fm.files import local_path

P = ParamSpec("P")
R = TypeVar("R")


def with_devices(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function with `devices`, `hosts`, `hosts_timeout`, `run_dir` and `verbose`.

    Its trainings take those devices. In a process that isn't the first, the run is written into a
    folder that is deleted in the end, and nothing is printed.
    """

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> R:
        devices: Any = options.get("devices")
        named_hosts: Any = options.get("hosts")
        timeout: Any = options.get("hosts_timeout")
        hosts = check_devices(devices, named_hosts, timeout)
        if hosts is None or hosts.count == 1:
            with on_devices(_devices_of_one_process(devices or 1)):
                return function(*arguments, **options)
        return _run_in_process(function, hosts, devices, arguments, options)

    return wrapped


def _devices_of_one_process(count: int) -> Devices:
    if count == 1:
        return Devices()
    backend = keras.backend.backend()
    if backend == "jax":
        from keras_fm.distribution import sharded

        sharded.add_cpus(count)
        return sharded.ShardedDevices(count)
    from keras_fm.backend import need_tensorflow

    need_tensorflow(f"devices={count} is for", or_jax=True)
    from keras_fm.distribution.mirrored import MirroredDevices

    return MirroredDevices(count)


def _run_in_process(
    function: Callable[..., R], hosts: Hosts, devices: int | None, arguments: Any, options: Any
) -> R:
    """Run the function in this process, together with the others."""
    check_devices(devices, options["hosts"])  # the backend is known now
    from keras_fm.distribution import processes, sharded

    if devices is not None:
        sharded.add_cpus(devices)
    try:
        processes.join(hosts, devices, float(options.get("hosts_timeout") or HOSTS_TIMEOUT))
        options = _options_of_process(options)
        with on_devices(sharded.ShardedDevices(devices)):
            result = function(*arguments, **options)
        processes.finish()
        return result
    except Exception as error:
        error_of_others = processes.error_of_others(error)
        processes.leave_at_once(error_of_others or error)
        if error_of_others is not None:
            raise error_of_others from None
        raise
    except KeyboardInterrupt as interrupt:
        processes.leave_at_once(interrupt)
        if is_first_process():
            raise
        raise KeyboardInterrupt(
            "stopped; resume the run of process 0 in all processes, or in fewer (resume=True, "
            "--resume)"
        ) from None
    finally:
        for folder in _folders:  # before the exit that was registered above
            atexit.register(folder.cleanup)


def is_first_process() -> bool:
    """Return whether this process writes and prints what it has trained."""
    return not _folders


def _options_of_process(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the function for this process."""
    from keras_fm.distribution import processes

    if not processes.is_first():
        folder = tempfile.TemporaryDirectory(prefix="keras-fm-process-")
        _folders.append(folder)
        options = {**options, "run_dir": Path(folder.name) / "run", "verbose": 0}
    resume = processes.agree_with_first(bool(options.get("resume")))
    if resume:
        processes.send_folder(local_path(options.get("run_dir") or os.devnull))
    return {**options, "resume": resume}


_folders: list[tempfile.TemporaryDirectory[str]] = []
