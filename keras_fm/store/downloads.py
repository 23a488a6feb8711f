"""Downloads: from mirrors in turn, by one process at a time, checked before they get their name."""

import contextlib
import hashlib
import logging
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.store import cache
from keras_fm.store.files import is_valid
from keras_fm.store.transports import TRANSPORTS, TransferError, chunks, scheme_of

MAX_ATTEMPTS = 4  # through the mirrors; between them a pause that doubles
BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0  # a server that asks for more is left alone
MIN_BYTES_PER_SECOND, GRACE_SECONDS = 1_000, 30.0  # bytes a second, on average after the grace
LOCK_TIMEOUT_SECONDS = 1800.0  # with another process that downloads the same
MAX_BYTES = 1 << 30  # where no record says how many there are

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A weights file by its content.

    name: what messages call it. size: in bytes, where it is known. urls: where it may lie.
    """

    name: str
    sha256: str
    size: int | None = None
    urls: tuple[str, ...] = ()


def is_offline() -> bool:
    """Whether `KERAS_FM_OFFLINE` forbids to open a socket."""
    return os.environ.get("KERAS_FM_OFFLINE", "").lower() not in ("", "0", "false", "no")


def mirror_urls(wanted: RemoteFile) -> list[str]:
    """The addresses to try in turn; a mirror in `KERAS_FM_WEIGHTS_URL` is the first."""
    own = os.environ.get("KERAS_FM_WEIGHTS_URL")
    if not own:
        return list(wanted.urls)
    if scheme_of(own) not in TRANSPORTS:
        raise InvalidInputError(
            f"KERAS_FM_WEIGHTS_URL is the address of a folder, which begins with "
            f"{', '.join(f'{scheme}://' for scheme in TRANSPORTS)}; received {own!r}"
        )
    return [f"{own.rstrip('/')}/{cache.file_name(wanted.sha256)}", *wanted.urls]


def can_fetch(wanted: RemoteFile) -> bool:
    """Whether the file is in the cache, or there is a mirror to ask for it."""
    return is_valid(cache.file_path(wanted.sha256), wanted.sha256) or bool(mirror_urls(wanted))


def fetch(wanted: RemoteFile) -> Path:
    """The file in the cache; it is downloaded where it is not there or is damaged.

    Raises:
        WeightsError: no mirror has it, or the cache can't be written.
    """
    path = cache.file_path(wanted.sha256)
    try:
        if is_valid(path, wanted.sha256):
            return path
        urls = _allowed_urls(wanted)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(path, wanted.name):
            if not is_valid(path, wanted.sha256):  # another process may have brought it
                _download(wanted, urls, path)
    except OSError as error:
        raise WeightsError(
            f"{wanted.name} can't be stored in {path.parent} ({error.strerror or error}): make "
            "room there, or set KERAS_FM_HOME to another folder"
        ) from None
    return path


def _allowed_urls(wanted: RemoteFile) -> list[str]:
    urls = mirror_urls(wanted)
    if not urls:
        raise WeightsError(
            f"{wanted.name} is not on this machine, and no mirror is known: set "
            "KERAS_FM_WEIGHTS_URL to one, or install the package of the model again"
        )
    allowed = [url for url in urls if not is_offline() or scheme_of(url) == "file"]
    if not allowed:
        raise WeightsError(
            f"{wanted.name} is not on this machine, and KERAS_FM_OFFLINE forbids to download it: "
            f"on one with a network, keras-fm cache prefetch brings it into {cache.folder()}"
        )
    return allowed


@contextlib.contextmanager
def _exclusive(path: Path, name: str) -> Iterator[None]:
    """Holds the file's lock; the system releases that of a process that dies."""
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


def _download(wanted: RemoteFile, urls: list[str], path: Path) -> None:
    draft = cache.partial_path(path)  # one for all processes: who holds the lock owns it
    failures: dict[str, str] = {}
    for turn in range(1, MAX_ATTEMPTS + 1):
        waits = []
        for url in list(urls):
            try:
                _transfer(url, wanted, draft)
                draft.replace(path)
                return
            except TransferError as error:
                failures[url] = f"{url}: {error}"
                if error.temporary and error.wait <= MAX_BACKOFF_SECONDS:
                    waits.append(error.wait)
                else:
                    urls.remove(url)
            finally:
                draft.unlink(missing_ok=True)
        if not urls or turn == MAX_ATTEMPTS:
            break
        # Not all clients of a server that was down come back at once.
        pause = max(min(waits), BACKOFF_SECONDS * 2 ** (turn - 1) * random.uniform(0.5, 1.5))
        _log.warning("%s; trying again in %.0f s", "; ".join(failures.values()), pause)
        time.sleep(pause)
    tries = f"after {turn} tries" if turn > 1 else "at the first try"
    raise WeightsError(
        f"{wanted.name} could not be downloaded, {tries}: {'; '.join(failures.values())}"
    )


def _transfer(url: str, wanted: RemoteFile, draft: Path) -> None:
    """Writes the bytes at `url` to `draft`, no more than wanted, and checks them."""
    from tqdm import tqdm

    most, began = wanted.size or MAX_BYTES, time.monotonic()
    found, received = hashlib.sha256(), 0
    incoming = chunks(url, most)
    bar = tqdm(
        total=wanted.size, desc=wanted.name, unit="B", unit_scale=True, leave=False, disable=None
    )
    with draft.open("wb") as stream, contextlib.closing(incoming), bar:
        for chunk in incoming:
            received += len(chunk)
            if received > most:
                raise TransferError(f"sends more than {most:,} bytes", temporary=False)
            if received < (time.monotonic() - began - GRACE_SECONDS) * MIN_BYTES_PER_SECOND:
                raise TransferError(
                    f"is slower than {MIN_BYTES_PER_SECOND:,} bytes a second", temporary=True
                )
            stream.write(chunk)
            found.update(chunk)
            bar.update(len(chunk))
    if found.hexdigest() != wanted.sha256.lower():
        raise TransferError(
            f"sends {received:,} bytes with sha256 {found.hexdigest()[:12]}…, expected "
            f"{wanted.sha256[:12]}…",
            temporary=True,
        )
