"""The weights store: from what a user names to a verified file on this machine.

A file comes from the model's package, from the cache, or from a mirror into the cache.

May import registry, files, http_session and errors; imports no Keras.
"""

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from keras_fm.errors import InvalidInputError, WeightsError
from keras_fm.file_errors import missing_file
from keras_fm.files import local_path
from keras_fm.store import downloads
from keras_fm.store.downloads import RemoteFile, fetch
from keras_fm.store.files import SUFFIX, WeightsFile, check_sha256, is_valid, sha256_of

if TYPE_CHECKING:
    from keras_fm.registry import ModelPackage

__all__ = [
    "SUFFIX",
    "RemoteFile",
    "WeightsFile",
    "check_sha256",
    "fetch",
    "find_weights",
    "resolve",
    "sha256_of",
]

_URL = re.compile(r"(?P<url>\w+://[^#]*)(#(?P<fragment>.*))?", re.DOTALL)
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})", re.IGNORECASE)

_log = logging.getLogger(__name__)


def resolve(
    package: "ModelPackage", weights: str | os.PathLike[str], tag: str | None
) -> WeightsFile:
    """Find the file that `weights` means: "default", a tag, a path, or a URL with its sha256.

    Args:
        package: The model's package.
        weights: As `keras_fm.get` takes it.
        tag: The tag in the model's name, which "default" then means.

    Raises:
        WeightsError: A URL without a sha256, or a file that is not there and can't be downloaded.
        UnknownNameError: No such tag.
        InvalidInputError: `weights` is of another type.
    """
    if not isinstance(weights, (str, os.PathLike)):
        raise InvalidInputError(
            "weights is 'default', a tag, a path, a URL with its hash, or None; received "
            f"{type(weights).__name__}"
        )
    if match := _URL.fullmatch(str(weights)):
        return _from_url(match["url"], match["fragment"])
    if isinstance(weights, os.PathLike) or "/" in weights or weights.endswith(SUFFIX):
        return _from_path(local_path(weights))
    return find_weights(package, tag if weights == "default" else weights)


def find_weights(package: "ModelPackage", tag: str | None = None) -> WeightsFile:
    """Find the weights file of a tag in the package or the cache, or download it.

    Args:
        package: The model's package.
        tag: None for the default one.

    Raises:
        WeightsError: The file is nowhere, or damaged and nowhere else.
        UnknownNameError: No such tag.
    """
    record = package.entry.weights_of(tag)
    packaged = WeightsFile(package.path / record.file, record.sha256)
    if is_valid(packaged.path, record.sha256):
        return packaged
    name = f"{package.name}.{tag or package.entry.default_weights}"
    remote = RemoteFile(name, record.sha256, record.file_size, tuple(record.urls))
    if packaged.path.is_file():
        if not downloads.can_fetch(remote):
            check_sha256(packaged)
        _log.warning("%s was cut or altered: taking another copy of it", packaged.path)
    return WeightsFile(fetch(remote), record.sha256)


def _from_path(path: Path) -> WeightsFile:
    if not path.is_file():
        raise WeightsError(missing_file(path, "weights file"))
    if not path.name.endswith(SUFFIX):
        raise InvalidInputError(f"a weights file's name ends in {SUFFIX}; received {path}")
    return WeightsFile(path)


def _from_url(url: str, fragment: str | None) -> WeightsFile:
    match = _SHA256.fullmatch(fragment or "")
    if match is None:
        raise WeightsError(
            f"a download is checked: expected {url}#sha256=… with 64 hex digits, received "
            f"{'no hash' if fragment is None else '#' + fragment}"
        )
    sha256 = match[1].lower()
    return WeightsFile(fetch(RemoteFile(url, sha256, urls=(url,))), sha256)
