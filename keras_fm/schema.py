"""Reads TOML into typed structs; the errors name the file, the field and what was received."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from keras_fm.errors import SchemaError, suggest

# The largest real entry has some 5 kB; a larger file is a mistake or an attack on the parser.
MAX_BYTES = 200_000


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the schema's structs: immutable, no unknown fields."""


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def read_toml(path: Path) -> dict[str, Any]:
    """Parses one TOML file; a `SchemaError` names the file and the place of a syntax error."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SchemaError(f"{path}: can't be read ({error.strerror})") from None
    if len(raw) > MAX_BYTES:
        raise SchemaError(
            f"{path}: {len(raw):,} bytes; an entry or recipe has at most {MAX_BYTES:,}"
        )
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{path}: not valid TOML: {error}") from None


def convert(table: dict[str, Any], struct: type[AnyStruct], *, where: str) -> AnyStruct:
    """Checks `table` against `struct`; the error's sentence begins with `where` (file, table)."""
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{where}: {_explain(str(error), table, struct)}") from None


def _explain(message: str, table: dict[str, Any], struct: type[msgspec.Struct]) -> str:
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$(.*)`)?", message)
    if unknown and not unknown[2]:
        return f"unknown field {unknown[1]!r}. {suggest(unknown[1], struct.__struct_fields__)}"
    if message.startswith("field "):  # a check across fields, which says all by itself
        return message
    complaint, _, path = message.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    complaint = complaint[0].lower() + complaint[1:]
    if not field:
        return complaint
    return f"field {field!r}: {complaint}, received {_value_at(table, field)!r}"


def _value_at(table: Any, field: str) -> Any:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        try:
            table = table[int(index)] if index else table[name]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    return table
