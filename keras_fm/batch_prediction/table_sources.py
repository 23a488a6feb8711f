"""Rows of tables, a chunk at a time."""

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_fm.batch_prediction.source import Chunk, Source
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.tables.chunks import TableChunks, cut, read_chunks
from keras_fm.preprocessing.tables.headers import missing_column
from keras_fm.preprocessing.texts.inputs import encode_text

if TYPE_CHECKING:
    import pandas as pd


def open_tables(
    tables: Sequence[Any],
    *,
    chunk_size: int,
    id_column: str | None = None,
    text: str | None = None,
    are_texts: bool = False,
) -> Source:
    """Open the rows of tables, or the texts of one of their columns.

    Args:
        tables: Paths of files, or one data frame.
        chunk_size: The rows of a chunk.
        id_column: The only column that is written beside the predictions; None for all.
        text: The column of the texts; None for the only one that is not of numbers.
        are_texts: Whether the model takes texts.

    Raises:
        DataError: A file can't be read, or has other columns than the first.
        InvalidInputError: There is no row, or it is not clear which column holds the texts.
    """
    opened = [(_describe(table), _open(table, chunk_size)) for table in tables]
    count = sum(table.num_rows for _, table in opened)
    if not count:
        raise InvalidInputError(f"expected rows to predict for; {opened[0][0]} has none")
    first_description, first = opened[0]
    names = first.names if id_column is None else [array_likes.column_name(id_column)]
    text = None if text is None else array_likes.column_name(text)
    for description, table in opened:
        for name in names if text is None else [*names, text]:
            _check_has_column(description, table, name)
        if id_column is None:
            _check_no_others(description, table, names, first_description)
    frames = itertools.chain.from_iterable(table.frames for _, table in opened)
    chunks = (
        _text_chunks(frames, names, text, first_description)
        if are_texts
        else (Chunk(frame, frame[names]) for frame in frames)
    )
    return Source(count, "text" if are_texts else "row", chunks, first.schema)


def _open(table: Any, chunk_size: int) -> TableChunks:
    if isinstance(table, (str, os.PathLike)):
        return read_chunks(table, chunk_size)
    frame = array_likes.with_string_names(array_likes.as_frame(table), "the data frame")
    return TableChunks([*frame.columns], len(frame), cut(frame, chunk_size))


def _describe(table: Any) -> str:
    return str(table) if isinstance(table, (str, os.PathLike)) else "the data frame"


def _check_has_column(description: str, table: TableChunks, name: str) -> None:
    if name not in table.names:
        raise missing_column(description, name, table.names)


def _check_no_others(
    description: str, table: TableChunks, names: Sequence[str], first_description: str
) -> None:
    others = [name for name in table.names if name not in names]
    if others:
        raise DataError(
            f"{description} has a column {others[0]!r}, which {first_description} has not: predict "
            "for each alone, or write one of their columns beside the predictions: id_column=, or "
            "--id"
        )


def _text_chunks(
    frames: "Iterator[pd.DataFrame]", names: list[str], text: str | None, description: str
) -> Iterator[Chunk]:
    for frame in frames:
        text = text or _only_text_column(frame, description)
        # As bytes: a string can be taken for the name of a file.
        texts = [encode_text(str(cell)) for cell in frame[text].astype(object).fillna("")]
        yield Chunk(texts, frame[names])


def _only_text_column(frame: "pd.DataFrame", description: str) -> str:
    """Return the only column of the first rows that holds anything but numbers."""
    columns = [name for name, cells in frame.items() if not _are_numbers(cells)]
    if len(columns) == 1:
        return columns[0]
    raise InvalidInputError(
        f"say which column of {description} holds the texts: text=, or --text. "
        f"Known: {', '.join(frame.columns)}."
    )


def _are_numbers(cells: "pd.Series") -> bool:
    import pandas as pd

    present = cells.dropna()
    is_boolean = present.astype(str).str.lower().isin(("true", "false"))
    return bool((pd.to_numeric(present, errors="coerce").notna() | is_boolean).all())
