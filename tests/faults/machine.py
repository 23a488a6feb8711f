"""A user's machine for one trial, and how little of it a load may take."""

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
    """A folder with a room whose weights don't ship, and a cache, as on a user's machine."""

    def __init__(self, folder: Path, body: bytes) -> None:
        self.folder, self.body = folder, body
        self.room = folder / "tiny_net"
        self.home = folder / "home"
        self.truth = hashlib.sha256(body).hexdigest()
        helpers.write_room(self.room)
        helpers.write_record(self.room, bytes=len(body), sha256=self.truth)

    @property
    def file(self) -> Path:
        """Where the cache keeps the weights."""
        return self.home / "weights" / f"{self.truth}.weights.h5"

    def environment(self, url: str) -> dict[str, str]:
        """What a load on this machine sees."""
        ours = {"KERAS_FM_HOME": str(self.home), "KERAS_FM_WEIGHTS_URL": url}
        paths = [str(LOADER.parent), str(LOADER.parents[1]), *sys.path]
        kept = {name: value for name, value in os.environ.items() if "KERAS_FM" not in name}
        return {**kept, **ours, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def load(self, url: str, settings: dict[str, float]) -> str:
        """Loads in this process: "right", or the sentence of the error."""
        before = dict(os.environ)
        os.environ.update(self.environment(url))
        try:
            with settings_of_the_store(settings):
                found = loader.load(self.room)
        except KerasFmError as error:
            return f"error: {error}"
        except Exception as error:
            return f"RAISED {type(error).__name__}: {error}"
        finally:
            os.environ.clear()
            os.environ.update(before)
        return "right" if found == digest_of(self.body) else "WRONG NUMBERS"

    def start(self, url: str, settings: dict[str, float]) -> subprocess.Popen[str]:
        """Begins to load in another process."""
        given = [f"{name}={value}" for name, value in settings.items()]
        return subprocess.Popen(
            [sys.executable, str(LOADER), str(self.room), *given],
            env=self.environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """What came of a load in another process."""
        said, remarks = process.communicate(timeout=100)
        if process.returncode == 0 and said == f"right {digest_of(self.body)}\n":
            return "right"
        if process.returncode == 3 and "Traceback" not in remarks:
            return f"error: {said.strip()}"
        return f"EXIT {process.returncode}: {said.strip()} {remarks.strip()[-300:]}"

    def complaints(self, *, after_repair: bool) -> list[str]:
        """What is not as it should be in the cache."""
        found = []
        if self.file.is_file() and hashlib.sha256(self.file.read_bytes()).hexdigest() != self.truth:
            found.append("a file with its final name is not whole")
        if after_repair:
            expected = {self.file.name, f".{self.file.name}.lock"}
            if more := {path.name for path in self.file.parent.iterdir()} - expected:
                found.append(f"left over: {', '.join(sorted(more))}")
        return found


@contextlib.contextmanager
def settings_of_the_store(settings: dict[str, float]) -> Iterator[None]:
    """Times and limits of the store, as long as the block runs."""
    modules = (transports, downloads)
    old = {name: getattr(m, name) for m in modules for name in settings if hasattr(m, name)}
    loader.configure(settings)
    try:
        yield
    finally:
        loader.configure(old)


@contextlib.contextmanager
def little_room() -> Iterator[Callable[[], float]]:
    """Lets this process grow by 500 MB, and its files to 50 MB; says how many MB it grew."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: mapped + (500 << 20), resource.RLIMIT_FSIZE: 50 << 20}
    before = {which: resource.getrlimit(which) for which in limits}
    peak = peak_megabytes()
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, before[which][1]))
    try:
        yield lambda: peak_megabytes() - peak
    finally:
        for which, limit in before.items():
            resource.setrlimit(which, limit)


def peak_megabytes() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@functools.cache
def digest_of(body: bytes) -> str:
    """The digest of the numbers in a weights file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.weights.h5"
        path.write_bytes(body)
        return loader.digest(path)
