"""The columns of a CSV file by its first lines, for early checks. Without TensorFlow."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_fm.errors import DataError, suggest
from keras_fm.files import local_path
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables import file_kinds
from keras_fm.preprocessing.tables.csv_files import read_header, separator_hint
from keras_fm.preprocessing.tables.files import DECOMPRESSION_ERRORS, DECOMPRESSORS, JSON_SUFFIXES
from keras_fm.preprocessing.tables.json_files import looks_like_json

_SAMPLE = 2**16  # characters that hold the header


def check_has_columns(path: str | os.PathLike[str], names: Iterable[Any]) -> None:
    """Check that a file of a table has some columns, as far as its first lines tell.

    Args:
        path: The file.
        names: Of the columns; None stands for none.

    Raises:
        DataError: It has not.
    """
    named = [column_name(name) for name in names if name is not None]
    known = column_names(path) if named else None
    for name in named:
        if known is not None and name not in known:
            raise missing_column(path, name, known)


def missing_column(description: Any, name: str, known: Iterable[Any]) -> DataError:
    """Return the error of a table that has no such column."""
    known = [*map(str, known)]
    return DataError(
        f"{description} has no column {name!r}. {suggest(name, known)}{separator_hint(known)}"
    )


def column_names(path: str | os.PathLike[str]) -> list[str] | None:
    """Return the columns of a CSV file; None of any other file, and where it can't be read."""
    file = local_path(path)
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
        module: Any = next((m for sign, m in DECOMPRESSORS if head.startswith(sign)), None)
        opener = module.open if module is not None else open
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            beginning, more = stream.read(_SAMPLE), stream.read(1)
    except DECOMPRESSION_ERRORS:  # or another encoding
        return None
    if file_kinds.describe_foreign(beginning.encode(), str(path)):
        return None
    if head.startswith((file_kinds.PARQUET, file_kinds.ZIP)):
        return None
    if Path(path).suffix.lower() in JSON_SUFFIXES or looks_like_json(beginning):
        return None
    return read_header(path, beginning, is_all=not more)
