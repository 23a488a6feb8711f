"""Files of tables that are written a chunk of rows at a time, and appear when they are complete."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.files import atomic_path, atomic_write, local_path
from keras_fm.formatting import first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Write = Callable[["pd.DataFrame"], None]


def check_output(path: str | os.PathLike[str]) -> Path:
    """Return the path of a table to write, if it can be written.

    Raises:
        InvalidInputError: It exists, its suffix names no format, or pyarrow is missing.
    """
    file = local_path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise InvalidInputError(
            f"predictions are written to a file that ends in {', '.join(SUFFIXES[:-1])} or "
            f"{SUFFIXES[-1]}; received {path}"
        )
    if file.exists() or file.is_symlink():
        raise InvalidInputError(f"{file} exists; name another file, or delete it")
    if file.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InvalidInputError(f"{file}: Parquet needs pyarrow: install it, or name a .csv file")
    return file


@contextmanager
def open_table_writer(path: Path, schema: "pa.Schema | None" = None) -> Iterator[Write]:
    """Yield a function that writes some rows; the file appears at the end of the block.

    Args:
        path: The file, by whose suffix the format is chosen; its folder is made.
        schema: The types that columns keep in Parquet; those of others are of the first rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _WRITERS[path.suffix.lower()](path, schema) as write:
        yield write


@contextmanager
def _write_csv(path: Path, schema: "pa.Schema | None") -> Iterator[Write]:
    with atomic_write(path) as stream:

        def write(frame: "pd.DataFrame") -> None:
            frame.to_csv(stream, header=stream.tell() == 0, index=False, lineterminator="\n")

        yield write


@contextmanager
def _write_json_lines(path: Path, schema: "pa.Schema | None") -> Iterator[Write]:
    with atomic_write(path, "wb") as stream:
        yield lambda frame: _write_lines(stream, _json_rows(frame))


def _write_lines(stream: Any, rows: list[bytes]) -> None:
    stream.writelines(row + b"\n" for row in rows)


@contextmanager
def _write_json(path: Path, schema: "pa.Schema | None") -> Iterator[Write]:
    """Write a list of rows, a row a line."""
    with atomic_write(path, "wb") as stream:

        def write(frame: "pd.DataFrame") -> None:
            for row in _json_rows(frame):
                stream.write(b",\n" if stream.tell() else b"[\n")
                stream.write(row)

        yield write
        stream.write(b"\n]\n")


def _json_rows(frame: "pd.DataFrame") -> list[bytes]:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=_to_json)
    columns = [_shortest(cells) for _, cells in frame.items()]
    names = [*map(str, frame.columns)]
    return [
        encoder.encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)
    ]


def _shortest(cells: "pd.Series") -> list[Any]:
    """Return cells as values of Python, None where one is missing; 0.1 of float32 is 0.1."""
    if cells.dtype == np.float32:
        cells = cells.astype(str).astype("float64")
    return cells.astype(object).where(cells.notna(), None).tolist()


def _to_json(value: Any) -> Any:
    """Convert what JSON has no type for: arrays become lists, dates and others texts."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


@contextmanager
def _write_parquet(path: Path, schema: "pa.Schema | None") -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    with atomic_path(path) as partial:
        writer: Any = None

        def write(frame: "pd.DataFrame") -> None:
            nonlocal writer
            try:
                types = writer.schema if writer is not None else _schema_of(frame, schema)
                table = pa.Table.from_pandas(frame, types, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(
                    f"the cells can't be written to {path}: {first_line(error)}. Other formats "
                    "hold cells of any type: name a .csv or a .jsonl file"
                ) from None
            if writer is None:
                writer = parquet.ParquetWriter(partial, types)
            writer.write_table(table)

        try:
            yield write
        finally:
            if writer is not None:
                writer.close()


def _schema_of(frame: "pd.DataFrame", schema: "pa.Schema | None") -> "pa.Schema":
    """Return the types of the columns: those of a schema, or else those of their cells."""
    import pyarrow as pa

    known = {} if schema is None else {field.name: field for field in schema}
    fields = []
    for field in pa.Schema.from_pandas(frame, preserve_index=False):
        if field.name in known:
            field = known[field.name]
        elif pa.types.is_null(field.type):  # all missing so far
            field = field.with_type(pa.string())
        fields.append(field)
    return pa.schema(fields)


_WRITERS = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".ndjson": _write_json_lines,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
SUFFIXES = (*_WRITERS,)
