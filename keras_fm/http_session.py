"""HTTP sessions that follow no redirect, and short reasons for their errors.

`requests` and `http.client` are imported at the first request: the package must start quickly.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests


def open_session() -> "requests.Session":
    """Open a session that never follows a redirect, and asks for bodies that are not packed."""
    import requests

    session = requests.Session()
    # `requests` reads the body of a redirect into memory, even where it must not follow it.
    session.get_redirect_target = lambda response: None
    # The length of a packed body is not that of its content, and a few bytes unpack to gigabytes.
    session.headers["Accept-Encoding"] = "identity"
    return session


def request_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a request raises, from the address to the last byte of the body."""
    from http.client import HTTPException

    import urllib3

    # The errors of `requests` are OSErrors; for an address that is none, ValueErrors.
    return (OSError, ValueError, HTTPException, urllib3.exceptions.HTTPError)


def is_timeout(error: BaseException) -> bool:
    """Return True if the server did not accept the connection or did not respond in time."""
    import requests
    import urllib3

    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    root = _root(error)
    # urllib3 before 2.0 calls a refused connection a time-out.
    if isinstance(root, OSError) and root.errno is not None and not isinstance(root, TimeoutError):
        return False
    return isinstance(error, timeouts) or isinstance(root, timeouts)


def error_reason(error: BaseException) -> str:
    """Describe an error of a request in one line, by the innermost error that it wraps."""
    from http.client import BadStatusLine

    if is_timeout(error):
        return "does not respond in time"
    root = _root(error)
    text = getattr(root, "strerror", None) or str(root) or type(root).__name__
    if isinstance(root, BadStatusLine) and not isinstance(root, OSError):
        text = f"no HTTP response: {text}"
    return " ".join(str(text).split())[:200]


def _root(error: BaseException) -> BaseException:
    """Return the error that `requests` and urllib3 wrapped, each in its own manner."""
    for inner in (getattr(error, "reason", None), *error.args, error.__cause__):
        if isinstance(inner, BaseException):
            return _root(inner)
    return error
