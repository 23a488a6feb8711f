"""The weights store: from what a user names to a checked file on this machine.

A file comes from the package, from the cache, or from a mirror into the cache.

May import registry and errors. Imports no Keras.
"""

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.store import downloads
from keras_fm.store.downloads import RemoteFile, fetch
from keras_fm.store.files import SUFFIX, WeightsFile, check_sha256, is_valid, sha256_of

if TYPE_CHECKING:
    from keras_fm.registry import ModelPackage

__all__ = [
    "SUFFIX",
    "Source",
    "Wanted",
    "check",
    "fetch",
    "of_record",
    "resolve",
    "sha256_of",
]

_URL = re.compile(r"(?P<url>\w+://[^#]*)(#(?P<hash>.*))?", re.DOTALL)
_HASH = re.compile(r"sha256=([0-9a-f]{64})", re.IGNORECASE)

_log = logging.getLogger(__name__)


def resolve(room: "ModelPackage", weights: str | os.PathLike[str], tag: str | None) -> WeightsFile:
    """Finds the file that `weights` means: "default", a tag, a path, or a URL with its hash.

    Args:
        room: the model's room. tag: the one in the model's name; it is what "default" means then.

    Raises:
        WeightsError: a URL without a hash, or a file that is not there and can't be downloaded.
        UnknownNameError: no such tag.
    """
    if not isinstance(weights, (str, os.PathLike)):
        raise InvalidInputError(
            "weights is 'default', a tag, a path, a URL with its hash, or None; received "
            f"{type(weights).__name__}"
        )
    if match := _URL.fullmatch(str(weights)):
        return _of_url(match["url"], match["hash"])
    if isinstance(weights, os.PathLike) or "/" in weights or weights.endswith(SUFFIX):
        return _of_path(Path(weights))
    return find_weights(room, tag if weights == "default" else weights)


def find_weights(room: "ModelPackage", tag: str | None = None) -> WeightsFile:
    """The file of a tag (None: the default one): of the package, the cache, or a mirror.

    Raises:
        WeightsError: it is in none of them, or damaged and in no other one.
        UnknownNameError: no such tag.
    """
    record = room.entry.weights_of(tag)
    shipped = WeightsFile(room.path / record.file, record.sha256)
    if is_valid(shipped.path, record.sha256):
        return shipped
    name = f"{room.name}.{tag or room.entry.default_weights}"
    wanted = RemoteFile(name, record.sha256, record.file_size, tuple(record.urls))
    if shipped.path.is_file():
        if not downloads.can_fetch(wanted):
            check_sha256(shipped)
        _log.warning("%s was cut or altered: taking another copy of it", shipped.path)
    return WeightsFile(fetch(wanted), record.sha256)


def _of_path(path: Path) -> WeightsFile:
    if not path.is_file():
        raise WeightsError(f"no weights file {path}")
    if not path.name.endswith(SUFFIX):
        raise InvalidInputError(f"a weights file's name ends in {SUFFIX}; received {path}")
    return WeightsFile(path)


def _of_url(url: str, fragment: str | None) -> WeightsFile:
    match = _HASH.fullmatch(fragment or "")
    if match is None:
        raise WeightsError(
            f"a download is checked: expected {url}#sha256=… with 64 hex digits, received "
            f"{'no hash' if fragment is None else '#' + fragment}"
        )
    sha256 = match[1].lower()
    return WeightsFile(fetch(RemoteFile(url, sha256, urls=(url,))), sha256)
