"""The cache: a folder of downloaded weights files, each named after its own sha256."""

import os
import re
from collections.abc import Container
from pathlib import Path

from keras_fm.store.files import SUFFIX, is_valid

_NAME = re.compile(rf"([0-9a-f]{{64}}){re.escape(SUFFIX)}")
_PARTIAL = ".partial"


def folder() -> Path:
    """Return the folder of downloads: in `KERAS_FM_HOME`, or the system's folder for caches."""
    import platformdirs

    home = os.environ.get("KERAS_FM_HOME") or platformdirs.user_cache_dir("keras_fm")
    return Path(home).expanduser().absolute() / "weights"


def file_name(sha256: str) -> str:
    """Return the name of a file in the cache, and in a mirror's folder."""
    return f"{sha256.lower()}{SUFFIX}"


def file_path(sha256: str) -> Path:
    """Return the path of the file with this sha256, downloaded or not."""
    return folder() / file_name(sha256)


def partial_path(path: Path) -> Path:
    """Return the path of a download that is not complete and checked yet."""
    return path.with_name(f".{path.name}{_PARTIAL}")


def lock_path(path: Path) -> Path:
    """Return the path of the lock that a process holds while it downloads the file.

    The lock file is empty and stays there.
    """
    return path.with_name(f".{path.name}.lock")


def files() -> dict[str, Path]:
    """Return the downloaded files, by the sha256 in their names."""
    if not folder().is_dir():
        return {}
    matches = {path: _NAME.fullmatch(path.name) for path in sorted(folder().iterdir())}
    return {match[1]: path for path, match in matches.items() if match}


def damaged() -> list[Path]:
    """Return the downloaded files that do not have the sha256 in their names."""
    return [path for sha256, path in files().items() if not is_valid(path, sha256)]


def clear(only: Container[str] | None = None) -> list[Path]:
    """Delete downloaded files.

    Args:
        only: The sha256 of the files to delete; None for all, and for what killed downloads left.

    Returns:
        The paths of the deleted files.
    """
    paths = [path for sha256, path in files().items() if only is None or sha256 in only]
    if only is None and folder().is_dir():
        partials = folder().glob(f".*{SUFFIX}{_PARTIAL}")
        paths += [path for path in partials if not _is_being_written(path)]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def _is_being_written(partial: Path) -> bool:
    from filelock import FileLock, Timeout

    path = partial.with_name(partial.name.removeprefix(".").removesuffix(_PARTIAL))
    try:
        with FileLock(lock_path(path)).acquire(timeout=0):
            return False
    except Timeout:
        return True
