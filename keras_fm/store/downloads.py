"""Downloads from mirrors: by one process at a time, and checked before a file gets its name."""

import contextlib
import hashlib
import logging
import os
import random
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.files import atomic_write
from keras_fm.store import cache
from keras_fm.store.files import is_valid
from keras_fm.store.transports import TRANSPORTS, TransferError, chunks, scheme_of

MAX_ATTEMPTS = 4  # at all mirrors; the pause between attempts doubles
BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0  # a server that asks for a longer pause is not asked again
MIN_BYTES_PER_SECOND, GRACE_SECONDS = 1_000, 30.0  # on average, after the grace
LOCK_TIMEOUT_SECONDS = 1800.0  # for another process that downloads the same file
MAX_BYTES = 1 << 30  # where no record says the size

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A weights file that can be downloaded.

    Attributes:
        name: What messages call it.
        sha256: Of its content.
        size: In bytes, where it is known.
        urls: Its mirrors.
    """

    name: str
    sha256: str
    size: int | None = None
    urls: tuple[str, ...] = ()


def is_offline() -> bool:
    """Return True if `KERAS_FM_OFFLINE` forbids to open a socket."""
    return os.environ.get("KERAS_FM_OFFLINE", "").lower() not in ("", "0", "false", "no")


def mirror_urls(file: RemoteFile) -> list[str]:
    """Return the addresses to try in turn, first that of `KERAS_FM_WEIGHTS_URL`."""
    user_mirror = os.environ.get("KERAS_FM_WEIGHTS_URL")
    if not user_mirror:
        return list(file.urls)
    if scheme_of(user_mirror) not in TRANSPORTS:
        raise InvalidInputError(
            f"KERAS_FM_WEIGHTS_URL is the address of a folder, which begins with "
            f"{', '.join(f'{scheme}://' for scheme in TRANSPORTS)}; received {user_mirror!r}"
        )
    return [f"{user_mirror.rstrip('/')}/{cache.file_name(file.sha256)}", *file.urls]


def can_fetch(file: RemoteFile) -> bool:
    """Return True if the file is in the cache, or a mirror is known."""
    return is_valid(cache.file_path(file.sha256), file.sha256) or bool(mirror_urls(file))


def fetch(file: RemoteFile) -> Path:
    """Return the file in the cache; download it where it is missing or damaged.

    Raises:
        WeightsError: No mirror has it, or the cache can't be written.
    """
    path = cache.file_path(file.sha256)
    try:
        if is_valid(path, file.sha256):
            return path
        urls = _allowed_urls(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(path, file.name):
            if not is_valid(path, file.sha256):  # another process may have downloaded it
                _download(file, urls, path)
    except OSError as error:
        raise WeightsError(
            f"{file.name} can't be stored in {path.parent} ({error.strerror or error}): make "
            "room there, or set KERAS_FM_HOME to another folder"
        ) from None
    return path


def limited_chunks(url: str, max_bytes: int) -> Generator[bytes, None, None]:
    """Yield the bytes of the file at `url`, while it is neither too large nor too slow.

    Raises:
        TransferError: It is, or the transfer fails.
    """
    received, started = 0, time.monotonic()
    with contextlib.closing(chunks(url, max_bytes)) as incoming:
        for chunk in incoming:
            received += len(chunk)
            if received > max_bytes:
                raise TransferError(f"sends more than {max_bytes:,} bytes", temporary=False)
            if received < (time.monotonic() - started - GRACE_SECONDS) * MIN_BYTES_PER_SECOND:
                raise TransferError(
                    f"is slower than {MIN_BYTES_PER_SECOND:,} bytes a second", temporary=True
                )
            yield chunk


def _allowed_urls(file: RemoteFile) -> list[str]:
    urls = mirror_urls(file)
    if not urls:
        raise WeightsError(
            f"{file.name} is not on this machine, and no mirror is known: set "
            "KERAS_FM_WEIGHTS_URL to one, or take it from the repository of the model"
        )
    allowed = [url for url in urls if not is_offline() or scheme_of(url) == "file"]
    if not allowed:
        raise WeightsError(
            f"{file.name} is not on this machine, and KERAS_FM_OFFLINE forbids to download it: "
            f"on one with a network, keras-fm cache prefetch brings it into {cache.folder()}"
        )
    return allowed


@contextlib.contextmanager
def _exclusive(path: Path, name: str) -> Iterator[None]:
    """Hold the file's lock, which the system releases when the process dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(cache.lock_path(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("another process downloads %s; waiting for it", name)
        try:
            lock.acquire(timeout=LOCK_TIMEOUT_SECONDS)
        except Timeout:
            raise WeightsError(
                f"another process has been downloading {name} for {LOCK_TIMEOUT_SECONDS / 60:.0f} "
                f"minutes; end it and try again (its lock is {lock.lock_file})"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _download(file: RemoteFile, urls: list[str], path: Path) -> None:
    partial = cache.partial_path(path)  # the same for all processes: the lock's holder owns it
    failures: dict[str, str] = {}
    for attempt in range(1, MAX_ATTEMPTS + 1):
        waits = []
        for url in list(urls):
            try:
                with atomic_write(path, "wb", temporary=partial) as stream:
                    _transfer(url, file, stream)
                return
            except TransferError as error:
                failures[url] = f"{url}: {error}"
                if error.temporary and error.wait <= MAX_BACKOFF_SECONDS:
                    waits.append(error.wait)
                else:
                    urls.remove(url)
        if not urls or attempt == MAX_ATTEMPTS:
            break
        # At random, so that the clients of a server that was down do not all come back at once.
        pause = max(min(waits), BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        _log.warning("%s; trying again in %.0f s", "; ".join(failures.values()), pause)
        time.sleep(pause)
    attempts = f"after {attempt} tries" if attempt > 1 else "at the first try"
    raise WeightsError(
        f"{file.name} could not be downloaded, {attempts}: {'; '.join(failures.values())}"
    )


def _transfer(url: str, file: RemoteFile, stream: IO[bytes]) -> None:
    """Write the bytes at `url` to the stream, no more than expected, and check their sha256."""
    from tqdm import tqdm

    digest, received = hashlib.sha256(), 0
    incoming = limited_chunks(url, file.size or MAX_BYTES)
    bar = tqdm(
        total=file.size, desc=file.name, unit="B", unit_scale=True, leave=False, disable=None
    )
    with contextlib.closing(incoming), bar:
        for chunk in incoming:
            received += len(chunk)
            stream.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
    if digest.hexdigest() != file.sha256.lower():
        raise TransferError(
            f"sends {received:,} bytes with sha256 {digest.hexdigest()[:12]}…, expected "
            f"{file.sha256[:12]}…",
            temporary=True,
        )
