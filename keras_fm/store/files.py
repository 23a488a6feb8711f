"""Weights files on this machine, and whether they are what somebody said they are."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keras_fm.errors import WeightsError

SUFFIX = ".weights.h5"


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on this machine, and the sha256 it must have (None: nobody said)."""

    path: Path
    sha256: str | None = None


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_valid(path: Path, sha256: str) -> bool:
    """Whether the file can be read and has this hash; unchanged, it is read but once."""
    try:
        return path.is_file() and _remembered(path) == sha256.lower()
    except OSError:
        return False


def check_sha256(source: WeightsFile) -> None:
    """Compares the file's hash with the one it must have.

    Raises:
        WeightsError: it has another one, or can't be read.
    """
    if source.sha256 is None:
        return
    try:
        actual = _remembered(source.path)
    except OSError as error:
        raise WeightsError(f"{source.path} can't be read ({error.strerror})") from None
    if actual != source.sha256.lower():
        raise WeightsError(
            f"{source.path} has sha256 {actual[:12]}…, expected {source.sha256[:12]}…: it was cut "
            "or altered. Install the package of the model again, or download the file again"
        )


def _remembered(path: Path) -> str:
    stat = path.stat()
    return _sha256_of(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256_of(path: Path, size: int, modified: int) -> str:
    return sha256_of(path)
