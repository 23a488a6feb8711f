"""Sentences on a user's files that are not there or can't be read, without numbers of errors."""

import difflib
import itertools
import os
import re
from pathlib import Path

from keras_fm.errors import InvalidInputError
from keras_fm.files import local_path

_MIN_SIMILARITY = 0.7  # of the names of files without their suffixes
_MAX_ENTRIES = 10_000  # of a folder in which a near name is looked for


def missing_file(path: str | os.PathLike[str], kind: str = "file") -> str:
    """Return a sentence on a file that is not there, with the near name of another.

    Args:
        path: As the user gave it.
        kind: What is expected there, such as "file or folder".
    """
    path = Path(path)
    parent = _missing_parent(path)
    hint = near_file(path)
    if hint is not None:
        return f"there is no {kind} {path}; did you mean {hint}?"
    if parent is not None:
        return f"there is no {kind} {path}: there is no folder {parent}"
    folder = "" if path.is_absolute() else f" in {Path.cwd()}"
    return f"there is no {kind} {path}{folder}"


def unreadable_file(path: str | os.PathLike[str], error: BaseException, kind: str = "file") -> str:
    """Return a sentence on a file that can't be read.

    Args:
        path: As the user gave it.
        error: Python's.
        kind: What is expected there.
    """
    if isinstance(error, FileNotFoundError):
        return missing_file(path, kind)
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder; expected a {kind}"
    return f"{path} can't be read: {reason_of(error)}"


def reason_of(error: BaseException) -> str:
    """Return the reason that an error states, without its number and its file."""
    reason = getattr(error, "strerror", None)
    lines = str(reason or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def near_file(path: str | os.PathLike[str]) -> Path | None:
    """Return the path of a file or folder whose name is like that of one that is not there."""
    path = Path(path)
    parent = _missing_parent(path)
    missing = path if parent is None else parent
    near = _near_entry(missing)
    if near is None:
        return None
    corrected = near / path.relative_to(missing)
    return corrected if _local(corrected).exists() else None


def _missing_parent(path: Path) -> Path | None:
    """Return the outermost folder on the way to a file that is not there."""
    parents = [parent for parent in path.parents if not _local(parent).exists()]
    return parents[-1] if parents else None


def _near_entry(path: Path) -> Path | None:
    """Return what lies in the same folder under the most similar name."""
    try:
        with os.scandir(_local(path.parent)) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MAX_ENTRIES)]
    except (OSError, ValueError):  # ValueError: a zero byte in the path
        return None
    similarities = {name: _similarity(path.name, name) for name in sorted(names)}
    near = max(similarities, key=similarities.__getitem__, default="")
    return path.with_name(near) if similarities.get(near, 0) >= _MIN_SIMILARITY else None


def _similarity(name: str, other: str) -> float:
    """Return how much two names are alike, from 0 to 1; one that differs in digits is no slip."""
    stem, suffix = os.path.splitext(name.casefold())
    other_stem, other_suffix = os.path.splitext(other.casefold())
    digits = [re.findall(r"\d+", part) for part in (stem, other_stem)]
    if other.startswith(".") or (all(digits) and digits[0] != digits[1]):
        return 0
    alike = difflib.SequenceMatcher(None, stem, other_stem).ratio()
    return alike - 0.01 * (suffix != other_suffix)  # of two, the one with the same suffix


def _local(path: Path) -> Path:
    try:
        return local_path(path)
    except InvalidInputError:
        return path
