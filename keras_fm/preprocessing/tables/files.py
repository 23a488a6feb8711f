"""Files of tables: CSV, also compressed, Parquet, and JSON. Without TensorFlow."""

import bz2
import csv
import gzip
import io
import lzma
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_fm.errors import DataError, DataWarning
from keras_fm.files import local_path
from keras_fm.preprocessing.tables import file_kinds
from keras_fm.preprocessing.tables.json_files import looks_like_json, read_json

if TYPE_CHECKING:
    import pandas as pd

JSON_SUFFIXES = frozenset((".json", ".jsonl", ".ndjson"))
_DECOMPRESSORS = ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ\0", lzma))
# What the modules of the standard library raise; a RuntimeError where a password is missing.
_DECOMPRESSION_ERRORS = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(lzma.LZMAError, zlib.error, zipfile.BadZipFile),
)
_MAX_CELL = 2**31 - 1  # bytes of a cell; the csv module's default is 131,072


def read_table(path: str | os.PathLike[str], dtype: Any = None) -> "pd.DataFrame":
    """Read a file of a table.

    A CSV file has a header and is UTF-8. An empty cell is missing; words such as NA stay, for they
    can be categories, classes or texts. Blanks around names and before cells don't count.

    Args:
        path: A CSV file, also compressed, a Parquet file, or a JSON file: a row a line, a list of
            rows, or columns by name. The first bytes say which it is.
        dtype: `str`, or a dict of it for some columns, whose cells in a CSV file stay strings; the
            others become numbers where they can.

    Raises:
        DataError: It can't be read, is a file of another kind or encoding, has two columns of one
            name, or a row with more cells than the header.
    """
    try:
        raw = local_path(path).read_bytes()
    except OSError as error:
        kind = _kind_by_suffix(path)
        raise DataError(f"{path} can't be read as {kind}: {_reason(error)}") from None
    if raw.startswith(file_kinds.PARQUET):
        return _read_parquet(path, raw)
    raw = _decompress(path, raw)
    foreign = file_kinds.describe_foreign(raw, str(path))
    if foreign:
        raise DataError(f"{path} {foreign}")
    text = _decode(path, raw)
    if Path(path).suffix.lower() in JSON_SUFFIXES or looks_like_json(text):
        return read_json(path, text)
    return _read_csv(path, text, dtype)


def check_table_file(path: str | os.PathLike[str]) -> None:
    """Raise a `DataError` where there is no such file."""
    if not local_path(path).exists():
        kind = _kind_by_suffix(path)
        raise DataError(f"{path} can't be read as {kind}: there is no such file")


def separator_hint(names: Iterable[Any]) -> str:
    """Return a sentence where a table's only name looks like a header with another separator."""
    header = [*map(str, names)]
    separators = [sign for sign in (";", "\t", "|") if len(header) == 1 and sign in header[0]]
    if not separators:
        return ""
    return f" The cells seem to lie between {separators[0]!r}; expected commas."


def _kind_by_suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix in JSON_SUFFIXES:
        return "a JSON file"
    return "a Parquet file" if suffix == ".parquet" else "a CSV file"


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _read_parquet(path: str | os.PathLike[str], raw: bytes) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(raw))
    except ImportError:
        raise DataError(
            f"{path} is a Parquet file, which pandas reads with pyarrow: install pyarrow, or save "
            "it as CSV"
        ) from None
    except Exception as error:  # pyarrow has errors of its own
        raise DataError(f"{path} can't be read as a Parquet file: {_reason(error)}") from None
    # An index with a name was a column once; one without is row numbers.
    is_named = any(name is not None for name in frame.index.names)
    return frame.reset_index() if is_named else frame.reset_index(drop=True)


def _decompress(path: str | os.PathLike[str], raw: bytes) -> bytes:
    """Decompress a file of gzip, bzip2, xz or zip; return any other as it is."""
    try:
        for signature, module in _DECOMPRESSORS:
            if raw.startswith(signature):
                return module.decompress(raw)
        if raw.startswith(file_kinds.ZIP) and not file_kinds.describe_foreign(raw, str(path)):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                (name,) = (name for name in archive.namelist() if not name.endswith("/"))
                return archive.read(name)
    except _DECOMPRESSION_ERRORS as error:
        raise DataError(f"{path} can't be decompressed: {_reason(error)}") from None
    return raw


def _decode(path: str | os.PathLike[str], raw: bytes) -> str:
    """Decode UTF-8, or say which byte in which line is none."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        advice = file_kinds.encoding_advice(str(path), "latin-1")
        byte = f"byte 0x{raw[error.start]:02x} in line {line:,}"
        raise DataError(f"{path} is not UTF-8 ({byte}): {advice}") from None


def _read_csv(path: str | os.PathLike[str], text: str, dtype: Any) -> "pd.DataFrame":
    import pandas as pd

    header = _checked_header(path, text)
    names = _with_pandas_names(header)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            header=0,
            names=names,
            usecols=range(len(names)),  # more cells in a row are empty: `_checked_header`
            index_col=False,
            dtype=dtype,
            skipinitialspace=True,
            keep_default_na=False,
            na_values=[""],
            low_memory=False,  # else the types of a long file's parts are inferred one by one
        )
    except ValueError as error:  # pandas' own errors are such
        raise DataError(f"{path} can't be read as a CSV file: {_reason(error)}") from None
    # A comma at the end of each line, the header's too, makes a column of nothing.
    empty = [name for name, title in zip(names, header, strict=True) if not title]
    return frame.drop(columns=[name for name in empty if frame[name].isna().all()])


def _with_pandas_names(header: list[str]) -> list[str]:
    """Name the columns without a name as pandas does; a file that was written twice has two."""
    names: list[str] = []
    for index, title in enumerate(header):
        name = base = title or f"Unnamed: {index}"
        number = 1
        while not title and name in (*header, *names):
            name, number = f"{base}.{number}", number + 1
        names.append(name)
    return names


def _checked_header(path: str | os.PathLike[str], text: str) -> list[str]:
    """Return the names of the columns; raise where two are the same, or a row has more cells.

    Rows of fewer cells get a warning.
    """
    with _unlimited_cells():
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        rows = _rows(path, reader)
        header = next((row for row in rows if any(cell.strip() for cell in row)), None)
        if header is None:
            raise DataError(f"{path} can't be read as a CSV file: it has no header")
        header = [name.strip() for name in header]
        names = [name for name in header if name]
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise DataError(f"{path} has two columns {duplicate!r}; give one another name")
        width, line = len(header), reader.line_num
        short_lines = []
        for row in rows:
            if 0 < len(row) < width and (len(row) > 1 or row[0].strip()):
                short_lines.append(line + 1)
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                raise DataError(
                    f"{path}, line {line + 1:,}: expected {width} cells, as in the header; "
                    f"received {len(row)}, the last {row[-1].strip()!r:.40}. A cell with a comma "
                    "stands in quotes, and a quote in it twice."
                    f"{separator_hint(header)}"
                )
            line = reader.line_num
    if short_lines:
        warnings.warn(
            f"{path}: {len(short_lines):,} rows have fewer cells than the header, the first in "
            f"line {short_lines[0]:,}: the other cells count as missing",
            DataWarning,
            stacklevel=2,
        )
    return header


def _rows(path: str | os.PathLike[str], reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"{path} can't be read as a CSV file: {_reason(error)}") from None


@contextmanager
def _unlimited_cells() -> Iterator[None]:
    """Let the csv module read cells of any length; its limit is a global setting."""
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
