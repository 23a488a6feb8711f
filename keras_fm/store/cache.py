"""The cache: a folder of downloaded weights files, each one named after its own sha256."""

import os
import re
from collections.abc import Container
from pathlib import Path

from keras_fm.store.files import SUFFIX, is_valid

_NAME = re.compile(rf"([0-9a-f]{{64}}){re.escape(SUFFIX)}")


def folder() -> Path:
    """Where downloads lie: `KERAS_FM_HOME`, or the system's place for caches."""
    import platformdirs

    home = os.environ.get("KERAS_FM_HOME") or platformdirs.user_cache_dir("keras_fm")
    return Path(home).expanduser().absolute() / "weights"


def file_name(sha256: str) -> str:
    """The name of a file in the cache, and in a mirror's folder."""
    return f"{sha256.lower()}{SUFFIX}"


def file_path(sha256: str) -> Path:
    """Where the file with this hash lies once it is downloaded."""
    return folder() / file_name(sha256)


def partial_path(path: Path) -> Path:
    """Where a file's bytes go as long as they are unchecked."""
    return path.with_name(f".{path.name}.draft")


def lock_path(path: Path) -> Path:
    """What a process holds that downloads the file; it stays, and is empty."""
    return path.with_name(f".{path.name}.lock")


def files() -> dict[str, Path]:
    """The downloaded files by the sha256 that their names promise."""
    if not folder().is_dir():
        return {}
    named = {path: _NAME.fullmatch(path.name) for path in sorted(folder().iterdir())}
    return {match[1]: path for path, match in named.items() if match}


def damaged() -> list[Path]:
    """The downloaded files that are not what their names promise."""
    return [path for sha256, path in files().items() if not is_valid(path, sha256)]


def clear(only: Container[str] | None = None) -> list[Path]:
    """Deletes downloaded files.

    Args:
        only: the hashes of those to delete; None: all, and what downloads left that were killed.

    Returns:
        what was deleted.
    """
    found = [path for sha256, path in files().items() if only is None or sha256 in only]
    if only is None and folder().is_dir():
        drafts = folder().glob(f".*{SUFFIX}.draft")
        found += [draft for draft in drafts if not _is_being_written(draft)]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _is_being_written(draft: Path) -> bool:
    from filelock import FileLock, Timeout

    lock = FileLock(lock_path(draft.with_name(draft.name[1:].removesuffix(".draft"))))
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
