"""Files that a user names by an `http` or `https` address, in memory."""

import re
from urllib.parse import urlsplit

from keras_fm.errors import InvalidInputError
from keras_fm.store.downloads import is_offline, limited_chunks
from keras_fm.store.transports import TransferError

MAX_BYTES = 1 << 26  # of a photo or a table; those of weights have records of their size
_URL = re.compile(r"https?://", re.IGNORECASE)


def is_url(item: object) -> bool:
    """Return whether it is a string that begins with `http://` or `https://`."""
    return isinstance(item, str) and _URL.match(item) is not None


def without_secrets(url: str) -> str:
    """Return an address without user, password and query, which may hold a token."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as half an IPv6 address
        return url.partition("?")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_url(url: str) -> bytes:
    """Download a file within the store's limits of size, time and redirects.

    Raises:
        InvalidInputError: It can't be downloaded, or `KERAS_FM_OFFLINE` forbids it.
    """
    name = without_secrets(url)
    if is_offline():
        raise InvalidInputError(
            f"{name} can't be read: KERAS_FM_OFFLINE forbids to download it; give a file"
        )
    try:
        return b"".join(limited_chunks(url, MAX_BYTES))
    except TransferError as error:
        reason = str(error).replace(url, name)
        raise InvalidInputError(f"{name} can't be read: the server {reason}") from None
