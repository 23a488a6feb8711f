"""How bytes come here: over HTTP, from a folder, or from the Hugging Face Hub.

A transport is a generator of a file's bytes. It reads no more than it hands on, so whoever takes
the bytes can stop at any of them. Where they do not come, a `TransferError` says why in few words.
"""

import contextlib
from collections.abc import Generator, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0
MAX_REDIRECTS = 10
CHUNK_BYTES = 1 << 16
# Besides the server's own errors: a time-out, too early, too many requests.
_TEMPORARY = {408, 425, 429}


class TransferError(Exception):
    """The bytes did not come.

    Args:
        temporary: another try may get them. wait: after so many seconds, as the server says.
    """

    def __init__(self, reason: str, *, temporary: bool, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.temporary = temporary
        self.wait = wait


def chunks(url: str, most: int) -> Generator[bytes, None, None]:
    """The bytes of the file at `url`, some at a time.

    Args:
        most: a server that announces more bytes is refused before the first one.

    Raises:
        TransferError: of whatever kind the mishap is.
    """
    import urllib3

    scheme = scheme_of(url)
    if scheme not in TRANSPORTS:
        raise TransferError(f"its kind is none of {', '.join(TRANSPORTS)}", temporary=False)
    try:
        yield from TRANSPORTS[scheme](url, most)
    # What requests raises is an OSError, and an address that is none a ValueError.
    except (OSError, ValueError, urllib3.exceptions.HTTPError, HTTPException) as error:
        temporary = scheme != "file" and not isinstance(error, ValueError)
        raise TransferError(_reason(error), temporary=temporary) from None


def scheme_of(url: str) -> str:
    """What stands before `://`, in small letters; nothing where there is none."""
    return url.partition("://")[0].lower() if "://" in url else ""


def _http(url: str, most: int, headers: dict[str, str] | None = None) -> Iterator[bytes]:
    """Follows redirects by hand: requests would read the whole body of each one into memory."""
    import requests

    with requests.Session() as session:
        # It would even where it is told not to follow them.
        session.get_redirect_target = lambda answer: None
        # Packed bytes would have another length than the record says.
        session.headers.update({"Accept-Encoding": "identity", **(headers or {})})
        for _ in range(MAX_REDIRECTS):
            with session.get(
                url, stream=True, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
            ) as answer:
                if not answer.is_redirect:
                    yield from _body(answer, most)
                    return
            before, url = url, urljoin(url, answer.headers["Location"])
            if session.should_strip_auth(before, url):
                session.headers.pop("Authorization", None)
    raise TransferError(f"redirects more than {MAX_REDIRECTS} times", temporary=False)


def _body(answer: "requests.Response", most: int) -> Iterator[bytes]:
    if (status := answer.status_code) != 200:
        wait = _wait(answer)
        patience = f", and asks to wait {wait:,.0f} s" if wait else ""
        raise TransferError(
            f"answers {status} {answer.reason or ''}".rstrip() + patience,
            temporary=status in _TEMPORARY or status >= 500,
            wait=wait,
        )
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > most:
        raise TransferError(f"sends {int(length):,} bytes, expected {most:,}", temporary=False)
    # Unlike `iter_content`, which waits for a whole chunk, however slowly its bytes come.
    while chunk := answer.raw.read1(CHUNK_BYTES, decode_content=True):
        yield chunk


def _wait(answer: "requests.Response") -> float:
    """The seconds of a `Retry-After`, which may also be a date; 0 where there is none."""
    import urllib3

    with contextlib.suppress(ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        return urllib3.Retry().get_retry_after(answer.raw) or 0.0
    return 0.0


def _file(url: str, most: int) -> Iterator[bytes]:
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_file():
        raise TransferError("there is no such file", temporary=False)
    if (size := path.stat().st_size) > most:
        raise TransferError(f"has {size:,} bytes, expected {most:,}", temporary=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _hf(url: str, most: int) -> Iterator[bytes]:
    """`hf://owner/repository[@revision]/path`, with the token that `hf auth login` left."""
    try:
        from huggingface_hub import get_token, hf_hub_url
    except ImportError:
        raise TransferError("wants huggingface_hub to be installed", temporary=False) from None
    owner, _, rest = url.partition("://")[2].partition("/")
    repository, _, path = rest.partition("/")
    repository, _, revision = repository.partition("@")
    if not (owner and repository and path):
        raise TransferError("is not hf://owner/repository/path", temporary=False)
    address = hf_hub_url(f"{owner}/{repository}", path, revision=revision or None)
    token = get_token()
    yield from _http(address, most, {"Authorization": f"Bearer {token}"} if token else None)


def _reason(error: Exception) -> str:
    """The innermost reason of an error that was wrapped some times, in one line."""
    import requests
    import urllib3

    late = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    # A refused connection is a time-out to urllib3.
    if isinstance(error, late) and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "does not answer in time"
    inner = getattr(error, "reason", None) or next(iter(error.args), None)
    if isinstance(inner, Exception):
        return _reason(inner)
    reason = inner if isinstance(inner, str) else str(error)
    return " ".join(reason.split())[:200] or type(error).__name__


TRANSPORTS = {"https": _http, "http": _http, "file": _file, "hf": _hf}
