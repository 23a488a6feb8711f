"""Reads TOML files that strangers may have written, without the schema library: it starts fast."""

import re
import tomllib
from pathlib import Path
from typing import Any

from keras_fm.errors import SchemaError

# The largest real entry has some 3 kB; a larger file is a mistake or an attack on the parser.
MAX_BYTES = 64_000
# tomllib keeps every beginning of a key, so one of 30,000 parts takes gigabytes and minutes.
MAX_PARTS = 16
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_PARTS}}}")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one TOML file; a `SchemaError` names the file and the line of a syntax error."""
    try:
        if not path.is_file() and path.exists():
            raise SchemaError(f"{path}: is no file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SchemaError(f"{path}: can't be read ({error.strerror})") from None
    if len(raw) > MAX_BYTES:
        raise SchemaError(f"{path}: an entry or recipe has at most {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8")
        if match := _LONG_KEY.search(text):
            raise ValueError(f"a key of more than {MAX_PARTS} parts, {match[0][:40]}…")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path}: not valid TOML: {error}") from None
