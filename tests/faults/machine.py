"""A simulated machine of a user, and limits to its memory and disk."""

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
from keras_fm.store import downloads, transports

LOADER = Path(__file__).with_name("loader.py")


class Machine:
    """A folder with a model whose weights are not in its package, and a cache."""

    def __init__(self, folder: Path, body: bytes) -> None:
        self.folder, self.body = folder, body
        self.package = folder / "tiny_net"
        self.home = folder / "home"
        self.sha256 = hashlib.sha256(body).hexdigest()
        helpers.write_room(self.package)
        helpers.write_record(self.package, file_size=len(body), sha256=self.sha256)

    @property
    def file(self) -> Path:
        """The path of the weights in the cache."""
        return self.home / "weights" / f"{self.sha256}.weights.h5"

    def environment(self, url: str) -> dict[str, str]:
        """Return the environment of a load on this machine."""
        settings = {"KERAS_FM_HOME": str(self.home), "KERAS_FM_WEIGHTS_URL": url}
        paths = [str(LOADER.parent), str(LOADER.parents[1]), *sys.path]
        others = {name: value for name, value in os.environ.items() if "KERAS_FM" not in name}
        return {**others, **settings, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def load(self, url: str, settings: dict[str, float]) -> str:
        """Load in this process; return "correct", or the sentence of the error."""
        environment = dict(os.environ)
        os.environ.update(self.environment(url))
        try:
            with settings_of_the_store(settings):
                digest = loader.load(self.package)
        except KerasFmError as error:
            return f"error: {error}"
        except Exception as error:
            return f"RAISED {type(error).__name__}: {error}"
        finally:
            os.environ.clear()
            os.environ.update(environment)
        return "correct" if digest == digest_of(self.body) else "WRONG NUMBERS"

    def start(self, url: str, settings: dict[str, float]) -> subprocess.Popen[str]:
        """Start to load in another process."""
        arguments = [f"{name}={value}" for name, value in settings.items()]
        return subprocess.Popen(
            [sys.executable, str(LOADER), str(self.package), *arguments],
            env=self.environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def outcome(self, process: subprocess.Popen[str]) -> str:
        """Return the outcome of a load in another process."""
        stdout, stderr = process.communicate(timeout=100)
        if process.returncode == 0 and stdout == f"correct {digest_of(self.body)}\n":
            return "correct"
        if process.returncode == 3 and "Traceback" not in stderr:
            return f"error: {stdout.strip()}"
        return f"EXIT {process.returncode}: {stdout.strip()} {stderr.strip()[-300:]}"

    def problems(self, *, after_repair: bool) -> list[str]:
        """List what is wrong in the cache."""
        problems = []
        if (
            self.file.is_file()
            and hashlib.sha256(self.file.read_bytes()).hexdigest() != self.sha256
        ):
            problems.append("a file with its final name is damaged")
        if after_repair:
            expected = {self.file.name, f".{self.file.name}.lock"}
            if unexpected := {path.name for path in self.file.parent.iterdir()} - expected:
                problems.append(f"left over: {', '.join(sorted(unexpected))}")
        return problems


@contextlib.contextmanager
def settings_of_the_store(settings: dict[str, float]) -> Iterator[None]:
    """Set times and limits of the store while the block runs."""
    modules = (transports, downloads)
    previous = {name: getattr(m, name) for m in modules for name in settings if hasattr(m, name)}
    loader.configure(settings)
    try:
        yield
    finally:
        loader.configure(previous)


@contextlib.contextmanager
def resource_limits() -> Iterator[Callable[[], float]]:
    """Let this process grow by 500 MB and its files to 50 MB; yield a function of its growth."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: mapped + (500 << 20), resource.RLIMIT_FSIZE: 50 << 20}
    previous = {which: resource.getrlimit(which) for which in limits}
    peak = peak_megabytes()
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, previous[which][1]))
    try:
        yield lambda: peak_megabytes() - peak
    finally:
        for which, limit in previous.items():
            resource.setrlimit(which, limit)


def peak_megabytes() -> float:
    """Return the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@functools.cache
def digest_of(body: bytes) -> str:
    """Return the digest of the numbers in a weights file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "expected.weights.h5"
        path.write_bytes(body)
        return loader.digest(path)
