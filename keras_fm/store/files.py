"""Weights files on this machine, and the check of their sha256."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keras_fm.errors import WeightsError

SUFFIX = ".weights.h5"


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on this machine.

    Attributes:
        path: Where it is.
        sha256: What it must have; None for a file that the user named by its path.
    """

    path: Path
    sha256: str | None = None


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_valid(path: Path, sha256: str) -> bool:
    """Return True if the file can be read and has this sha256; an unchanged file is read once."""
    try:
        return path.is_file() and _cached_sha256(path) == sha256.lower()
    except OSError:
        return False


def check_sha256(file: WeightsFile) -> None:
    """Compare the file's sha256 with the one that it must have.

    Raises:
        WeightsError: It has another one, or can't be read.
    """
    if file.sha256 is None:
        return
    try:
        actual = _cached_sha256(file.path)
    except OSError as error:
        raise WeightsError(f"{file.path} can't be read ({error.strerror})") from None
    if actual != file.sha256.lower():
        raise WeightsError(
            f"{file.path} has sha256 {actual[:12]}…, expected {file.sha256[:12]}…: it was cut or "
            "altered. Install the package of the model again, or download the file again"
        )


def _cached_sha256(path: Path) -> str:
    stat = path.stat()
    return _sha256_of_version(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256_of_version(path: Path, size: int, modified: int) -> str:
    return sha256_of(path)
