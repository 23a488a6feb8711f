"""Transports of a file's bytes: over HTTP, from a folder, or from the Hugging Face Hub.

A transport is a generator of bytes. It reads no more than it yields, so its user can stop at any
chunk. If the bytes do not come, a `TransferError` says why in few words.
"""

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from keras_fm import http_session

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0
MAX_REDIRECTS = 10
CHUNK_BYTES = 1 << 16
# Besides the server's errors from 500 on: a time-out, too early, too many requests.
_TEMPORARY_STATUS = {408, 425, 429}


class TransferError(Exception):
    """A transfer that failed.

    Args:
        reason: Why, in few words.
        temporary: Whether another attempt may succeed.
        wait: The seconds that the server asks to wait.
    """

    def __init__(self, reason: str, *, temporary: bool, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.temporary = temporary
        self.wait = wait


def chunks(url: str, max_bytes: int) -> Generator[bytes, None, None]:
    """Yield the bytes of the file at `url`, some at a time.

    Args:
        url: Of a scheme in `TRANSPORTS`.
        max_bytes: A server that announces more is refused before the first byte.

    Raises:
        TransferError: For any failure.
    """
    scheme = scheme_of(url)
    if scheme not in TRANSPORTS:
        raise TransferError(f"its kind is none of {', '.join(TRANSPORTS)}", temporary=False)
    try:
        yield from TRANSPORTS[scheme](url, max_bytes)
    except http_session.request_errors() as error:
        temporary = scheme != "file" and not isinstance(error, ValueError)
        raise TransferError(http_session.error_reason(error), temporary=temporary) from None


def scheme_of(url: str) -> str:
    """Return the scheme in front of `://`, in lower case; an empty string if there is none."""
    return url.partition("://")[0].lower() if "://" in url else ""


def _http(url: str, max_bytes: int, headers: dict[str, str] | None = None) -> Iterator[bytes]:
    with http_session.open_session() as session:
        session.headers.update(headers or {})
        for _ in range(MAX_REDIRECTS):
            with session.get(
                url, stream=True, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
            ) as response:
                if not response.is_redirect:
                    yield from _body(response, max_bytes)
                    return
            previous_url, url = url, urljoin(url, response.headers["Location"])
            if session.should_strip_auth(previous_url, url):
                session.headers.pop("Authorization", None)
    raise TransferError(f"redirects more than {MAX_REDIRECTS} times", temporary=False)


def _body(response: "requests.Response", max_bytes: int) -> Iterator[bytes]:
    if (status := response.status_code) != 200:
        wait = _retry_after(response)
        asks_to_wait = f", and asks to wait {wait:,.0f} s" if wait else ""
        raise TransferError(
            f"returns {status} {response.reason or ''}".rstrip() + asks_to_wait,
            temporary=status in _TEMPORARY_STATUS or status >= 500,
            wait=wait,
        )
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise TransferError(f"sends {int(length):,} bytes, expected {max_bytes:,}", temporary=False)
    # Unlike `iter_content`, which waits for a whole chunk, however slowly its bytes come.
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        yield chunk


def _retry_after(response: "requests.Response") -> float:
    """Return the seconds of a `Retry-After`, which may also be a date; 0 if there is none."""
    import urllib3

    with contextlib.suppress(ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        return urllib3.Retry().get_retry_after(response.raw) or 0.0
    return 0.0


def _file(url: str, max_bytes: int) -> Iterator[bytes]:
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_file():
        raise TransferError("there is no such file", temporary=False)
    if (size := path.stat().st_size) > max_bytes:
        raise TransferError(f"has {size:,} bytes, expected {max_bytes:,}", temporary=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _hf(url: str, max_bytes: int) -> Iterator[bytes]:
    """Yield from `hf://owner/repository[@revision]/path`, with the token of `hf auth login`."""
    try:
        from huggingface_hub import get_token, hf_hub_url
    except ImportError:
        raise TransferError("needs the package huggingface_hub", temporary=False) from None
    owner, _, rest = url.partition("://")[2].partition("/")
    repository, _, path = rest.partition("/")
    repository, _, revision = repository.partition("@")
    if not (owner and repository and path):
        raise TransferError("is not hf://owner/repository/path", temporary=False)
    address = hf_hub_url(f"{owner}/{repository}", path, revision=revision or None)
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else None
    yield from _http(address, max_bytes, headers)


TRANSPORTS = {"https": _http, "http": _http, "file": _file, "hf": _hf}
