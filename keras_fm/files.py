"""Atomic writes: a file or folder appears complete under its name, or the old one stays.

Another process never sees a half-written file. An error or an interrupt leaves nothing behind; only
a killed process leaves its temporary file, whose name begins with `.partial-`.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from keras_fm.errors import InvalidInputError

PREFIX = ".partial-"
_MAX_NAME = 255  # characters of a file or folder
_REMOTE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a user's file or folder on this machine; `~` is the home folder.

    Raises:
        InvalidInputError: It is an address, such as `gs://bucket/photos`, or can name no file.
    """
    text = os.fspath(path)
    if "\0" in text or max(map(len, text.split("/"))) > _MAX_NAME:
        raise InvalidInputError(f"expected the path of a file or folder; received {text!r:.60}")
    if _REMOTE.match(text):
        raise InvalidInputError(
            f"expected the path of a file or folder on this machine; received {text}: copy it here "
            "first"
        )
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody has this name: a folder may
        return Path(path)


def check_folder_path(path: Path) -> None:
    """Check that a folder is there or can be made: nothing on the way to it is a file.

    Raises:
        InvalidInputError: A part of the path is a file.
    """
    for parent in (path, *path.parents):
        if parent.is_dir():
            return
        if parent.exists():
            raise InvalidInputError(f"expected a folder; {parent} is a file")


@contextlib.contextmanager
def atomic_path(
    path: str | os.PathLike[str], *, fsync: bool = False, temporary: Path | None = None
) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` at the end of the block.

    For code that writes a file by its name, such as `model.save_weights`; else `atomic_write`.

    Args:
        path: The file to create or replace.
        fsync: Wait until file and name are on the disk.
        temporary: The temporary path; by default a new one that ends in the name of `path`.
    """
    path = Path(path)
    temporary = temporary or path.with_name(f"{PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        if fsync:
            _fsync(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the error that led here says more
            temporary.unlink(missing_ok=True)
        raise
    if fsync:
        _fsync(path.parent)


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike[str],
    mode: str = "w",
    *,
    fsync: bool = False,
    temporary: Path | None = None,
) -> Iterator[IO[Any]]:
    """Yield a stream to a temporary file, which becomes `path` at the end of the block.

    Args:
        path: The file to create or replace.
        mode: "w" for text in UTF-8, whose line ends stay as they are; "wb" for bytes.
        fsync: Wait until file and name are on the disk.
        temporary: The temporary path; by default a new one that ends in the name of `path`.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    # Closed before it is renamed: it is `close` that a full disk may refuse.
    with (
        atomic_path(path, fsync=fsync, temporary=temporary) as partial,
        open(partial, mode, **text) as stream,  # type: ignore[call-overload]
    ):
        yield stream


@dataclass
class NewDirectory:
    """A folder that is being written.

    Attributes:
        temporary: Where it is written.
        path: What it is renamed to at the end.
    """

    temporary: Path
    path: Path


@contextlib.contextmanager
def atomic_directory(
    path: str | os.PathLike[str], next_path: Callable[[], Path] | None = None
) -> Iterator[NewDirectory]:
    """Yield a new temporary folder beside `path`, and rename it to `path` at the end of the block.

    All files in it are on the disk before the folder gets its name.

    Args:
        path: The folder to create; it must not exist, or must be empty.
        next_path: Returns another path in the same folder, in case another process has taken `path`
            meanwhile; None: that is an `OSError`.
    """
    path = Path(path)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{PREFIX}{path.name}-"))
    directory = NewDirectory(temporary, path)
    try:
        temporary.chmod(0o755)  # `mkdtemp` shuts other users out
        yield directory
        for member in [*temporary.rglob("*"), temporary]:
            _fsync(member)
        while True:
            try:
                temporary.rename(directory.path)
                break
            except OSError as error:
                if next_path is None or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                directory.path = next_path()
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    if path.is_dir():
        if os.name == "nt":  # Windows opens no folder
            return
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
