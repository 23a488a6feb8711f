"""Turns plain tables into typed structs; the errors name the field and what was received."""

import re
import reprlib
from typing import Any, TypeVar

import msgspec

from keras_fm.errors import SchemaError, suggest

# A sentence says what was received, not all of it.
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = 100
_shortened.maxlist = _shortened.maxdict = 10


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the schema's structs: immutable, no unknown fields."""


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def convert(table: dict[str, Any], struct: type[AnyStruct], *, where: str) -> AnyStruct:
    """Check `table` against `struct`; the error's message begins with `where` (file, table)."""
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
    return f"field {field!r}: {complaint}, received {_shortened.repr(_value_at(table, field))}"


def _value_at(table: Any, field: str) -> Any:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        try:
            table = table[int(index)] if index else table[name]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    return table
