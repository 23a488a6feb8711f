"""A user's machine for one trial, and the memory that a load may take."""

import contextlib
import functools
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import helpers
import loader

from keras_fm.errors import KerasFmError
from keras_fm.store import downloads, sha256_of, transports

LOADER = Path(__file__).with_name("loader.py")


class Machine:
    """A model package whose weights are not installed, and a cache."""

    def __init__(self, folder: Path, body: bytes) -> None:
        self.folder, self.body = folder, body
        self.package = folder / "tiny_net"
        self.home = folder / "home"
        self.sha256 = hashlib.sha256(body).hexdigest()
        helpers.write_room(self.package)
        helpers.write_record(self.package, file_size=len(body), sha256=self.sha256)

    @property
    def file(self) -> Path:
        """Where the cache keeps the weights."""
        return self.home / "weights" / f"{self.sha256}.weights.h5"

    def environment(self, url: str) -> dict[str, str]:
        """What a load on this machine sees."""
        paths = [str(LOADER.parent), str(LOADER.parents[1]), *sys.path]
        environment = {name: value for name, value in os.environ.items() if "KERAS_FM" not in name}
        return {
            **environment,
            "KERAS_FM_HOME": str(self.home),
            "KERAS_FM_WEIGHTS_URL": url,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }

    def load(self, url: str, settings: dict[str, float]) -> str:
        """Loads in this process: "right", or the error message."""
        environment = dict(os.environ)
        os.environ.update(self.environment(url))
        try:
            with store_settings(settings):
                digest = loader.load(self.package)
        except KerasFmError as error:
            return f"error: {error}"
        except Exception as error:
            return f"RAISED {type(error).__name__}: {error}"
        finally:
            os.environ.clear()
            os.environ.update(environment)
        return "right" if digest == digest_of(self.body) else "WRONG ARRAYS"

    def start(self, url: str, settings: dict[str, float]) -> subprocess.Popen[str]:
        """Starts to load in another process."""
        arguments = [f"{name}={value}" for name, value in settings.items()]
        return subprocess.Popen(
            [sys.executable, str(LOADER), str(self.package), *arguments],
            env=self.environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """What came of a load in another process."""
        stdout, stderr = process.communicate(timeout=100)
        if process.returncode == 0 and stdout == f"right {digest_of(self.body)}\n":
            return "right"
        if process.returncode == 3 and "Traceback" not in stderr:
            return f"error: {stdout.strip()}"
        return f"EXIT {process.returncode}: {stdout.strip()} {stderr.strip()[-300:]}"

    def cache_errors(self, *, after_repair: bool) -> list[str]:
        """What is wrong in the cache."""
        errors = []
        if self.file.is_file() and sha256_of(self.file) != self.sha256:
            errors.append("a file with its final name is not complete")
        if after_repair:
            expected = {self.file.name, f".{self.file.name}.lock"}
            if more := {path.name for path in self.file.parent.iterdir()} - expected:
                errors.append(f"left over: {', '.join(sorted(more))}")
        return errors


@contextlib.contextmanager
def store_settings(settings: dict[str, float]) -> Iterator[None]:
    """Timeouts and limits of the store, as long as the block runs."""
    modules = (transports, downloads)
    old = {name: getattr(m, name) for m in modules for name in settings if hasattr(m, name)}
    loader.configure(settings)
    try:
        yield
    finally:
        loader.configure(old)


@contextlib.contextmanager
def limited_memory() -> Iterator[Callable[[], float]]:
    """Lets this process grow by 500 MB, and its files to 50 MB; says how many MB it grew."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: mapped + (500 << 20), resource.RLIMIT_FSIZE: 50 << 20}
    old_limits = {kind: resource.getrlimit(kind) for kind in limits}
    peak = peak_megabytes()
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, old_limits[kind][1]))
    try:
        yield lambda: peak_megabytes() - peak
    finally:
        for kind, limit in old_limits.items():
            resource.setrlimit(kind, limit)


def peak_megabytes() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@functools.cache
def digest_of(body: bytes) -> str:
    """The digest of the arrays in a weights file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body.weights.h5"
        path.write_bytes(body)
        return loader.digest(path)
