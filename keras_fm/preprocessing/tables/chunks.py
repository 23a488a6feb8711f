"""Files of tables, a chunk of rows at a time: memory need not hold them. Without TensorFlow."""

import functools
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from keras_fm.errors import DataError
from keras_fm.files import local_path
from keras_fm.formatting import first_line
from keras_fm.preprocessing.tables import file_kinds
from keras_fm.preprocessing.tables.csv_files import CsvLayout, csv_error, csv_options, scan_csv
from keras_fm.preprocessing.tables.files import (
    DECOMPRESSION_ERRORS,
    DECOMPRESSORS,
    JSON_SUFFIXES,
    missing_pyarrow,
    read_table,
    with_plain_index,
)
from keras_fm.preprocessing.tables.json_files import looks_like_json
from keras_fm.preprocessing.tables.row_names import with_row_names

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

OpenText = Callable[[], IO[str]]
_SAMPLE = 2**16  # characters that say what a file is


@dataclass(frozen=True)
class TableChunks:
    """The rows of a table, a chunk at a time.

    Attributes:
        names: Of the columns.
        num_rows: Of the table.
        frames: The chunks, each of which can be read once. Cells of a CSV file are strings.
        schema: Of a Parquet file; None of any other.
    """

    names: list[str]
    num_rows: int
    frames: "Iterator[pd.DataFrame]"
    schema: "pa.Schema | None" = None


def read_chunks(path: str | os.PathLike[str], size: int) -> TableChunks:
    """Read a file of a table a chunk at a time, with the rows and errors of `read_table`.

    CSV files, also compressed, JSON files of a row a line, and Parquet files are read in chunks;
    any other is read as a whole and then cut.

    Args:
        path: The file. It is read twice: once to check and to count its rows.
        size: The rows of a chunk.

    Raises:
        DataError: As `read_table` raises it; of a line of JSON, also while the chunks are read.
    """
    table = _open(path, size)
    return replace(table, frames=_with_row_names(table.frames, path))


def _open(path: str | os.PathLike[str], size: int) -> TableChunks:
    file = local_path(path)
    if not file.is_file():  # a pipe, which can be read once, or nothing
        return _read_whole(path, size)
    with file.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(file_kinds.PARQUET):
        return _read_parquet(path, file, size)
    module: Any = next((m for signature, m in DECOMPRESSORS if head.startswith(signature)), None)
    opener = module.open if module is not None else open
    open_text = functools.partial(opener, file, "rt", encoding="utf-8-sig", newline="")
    try:
        table = _read_text(path, open_text, size)
    except DataError:
        raise
    except DECOMPRESSION_ERRORS:  # or another encoding: `read_table` says which
        table = None
    return table or _read_whole(path, size)


def _with_row_names(
    frames: "Iterable[pd.DataFrame]", path: str | os.PathLike[str]
) -> "Iterator[pd.DataFrame]":
    first_row = 1
    for frame in frames:
        yield with_row_names(frame, path, first_row)
        first_row += len(frame)


def _read_whole(path: str | os.PathLike[str], size: int) -> TableChunks:
    frame = read_table(path, dtype=str)
    return TableChunks([*frame.columns], len(frame), cut(frame, size))


def cut(frame: "pd.DataFrame", size: int) -> "Iterator[pd.DataFrame]":
    """Cut a data frame into chunks of so many rows."""
    return (frame.iloc[start : start + size] for start in range(0, len(frame), size))


def _read_parquet(path: str | os.PathLike[str], file: Path, size: int) -> TableChunks:
    try:
        from pyarrow import parquet
    except ImportError:
        raise missing_pyarrow(path) from None
    try:
        table = parquet.ParquetFile(file)
    except Exception as error:  # pyarrow has errors of its own
        raise _parquet_error(path, error) from None

    def frames() -> "Iterator[pd.DataFrame]":
        try:
            for batch in table.iter_batches(size):
                # As Python's integers: a missing one would make floats of the others.
                yield with_plain_index(batch.to_pandas(integer_object_nulls=True))
        except Exception as error:
            raise _parquet_error(path, error) from None

    schema = table.schema_arrow
    names = [*with_plain_index(schema.empty_table().to_pandas()).columns]
    return TableChunks(names, table.metadata.num_rows, frames(), schema)


def _parquet_error(path: str | os.PathLike[str], error: Exception) -> DataError:
    return DataError(f"{path} can't be read as a Parquet file: {first_line(error)}")


def _read_text(path: str | os.PathLike[str], open_text: OpenText, size: int) -> TableChunks | None:
    """Read CSV, or JSON of a row a line; None: it is neither."""
    with open_text() as stream:
        sample = stream.read(_SAMPLE)
    if file_kinds.describe_foreign(sample.encode(), str(path)):
        return None
    if Path(path).suffix.lower() in JSON_SUFFIXES or looks_like_json(sample):
        return _read_json_lines(path, open_text, size)
    with open_text() as stream:
        layout = scan_csv(path, _without_zeros(path, stream))
    names = [name for name in layout.names if name not in layout.empty_names]
    return TableChunks(names, layout.num_rows, _csv_frames(path, open_text, layout, size))


def _without_zeros(path: str | os.PathLike[str], lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise DataError(f"{path} is a binary file: name a CSV file")
        yield line


def _csv_frames(
    path: str | os.PathLike[str], open_text: OpenText, layout: CsvLayout, size: int
) -> "Iterator[pd.DataFrame]":
    import pandas as pd

    try:
        with (
            open_text() as stream,
            pd.read_csv(stream, **csv_options(layout, str), chunksize=size) as frames,
        ):
            for frame in frames:
                yield frame.drop(columns=layout.empty_names)
    except ValueError as error:  # pandas' own errors are such
        raise csv_error(path, error) from None


def _read_json_lines(
    path: str | os.PathLike[str], open_text: OpenText, size: int
) -> TableChunks | None:
    """Read JSON of a row a line; None: the lines are none of a row."""
    import pandas as pd

    names: dict[str, None] = {}
    num_rows = 0
    with open_text() as stream:
        rows = _json_rows(path, stream)
        try:
            for row in rows:
                names.update(dict.fromkeys(row))
                num_rows += 1
        except DataError:
            if num_rows < 1:  # a list, or a value of several lines
                return None
            raise
    if num_rows < 2:  # it can hold columns by name
        return None

    def frames() -> "Iterator[pd.DataFrame]":
        with open_text() as stream:
            rows = _json_rows(path, stream)
            while chunk := list(itertools.islice(rows, size)):
                yield pd.DataFrame(chunk, columns=[*names], dtype=object)

    return TableChunks([*names], num_rows, frames())


def _json_rows(path: str | os.PathLike[str], lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number:,}: can't be read as JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(
                f'{path}, line {number:,}: expected a row in JSON, such as {{"size": 1.5, "kind": '
                f'"a"}}; received {line.strip()!r:.40}'
            )
        yield row
