"""Files of tables: CSV, also compressed, Parquet, and JSON. Without TensorFlow."""

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_fm.errors import DataError
from keras_fm.file_errors import missing_file, unreadable_file
from keras_fm.files import local_path
from keras_fm.formatting import first_line
from keras_fm.preprocessing.tables import file_kinds
from keras_fm.preprocessing.tables.csv_files import read_csv
from keras_fm.preprocessing.tables.json_files import looks_like_json, read_json

if TYPE_CHECKING:
    import pandas as pd

JSON_SUFFIXES = frozenset((".json", ".jsonl", ".ndjson"))
DECOMPRESSORS = ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ\0", lzma))
# What the modules of the standard library raise; a RuntimeError where a password is missing.
DECOMPRESSION_ERRORS = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(lzma.LZMAError, zlib.error, zipfile.BadZipFile),
)


def read_table(path: str | os.PathLike[str], dtype: Any = None) -> "pd.DataFrame":
    """Read a file of a table.

    A CSV file has a header and is UTF-8; the cells of a `.tsv` file lie between tabs. An empty cell
    is missing; words such as NA stay, for they can be categories, classes or texts. Blanks around
    names and before cells don't count.

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
        raise DataError(unreadable_file(path, error)) from None
    return parse_table(raw, path, dtype)


def parse_table(raw: bytes, path: str | os.PathLike[str], dtype: Any = None) -> "pd.DataFrame":
    """Read the bytes of a file of a table, as `read_table` does.

    Args:
        raw: The bytes.
        path: Its name, for messages; the suffix tells JSON from CSV.
        dtype: As in `read_table`.

    Raises:
        DataError: As in `read_table`.
    """
    if raw.startswith(file_kinds.PARQUET):
        return _read_parquet(path, raw)
    raw = _decompress(path, raw)
    foreign = file_kinds.describe_foreign(raw, str(path))
    if foreign:
        raise DataError(f"{path} {foreign}")
    text = _decode(path, raw)
    if Path(path).suffix.lower() in JSON_SUFFIXES or looks_like_json(text):
        return read_json(path, text)
    return read_csv(path, text, dtype)


def check_table_file(path: str | os.PathLike[str]) -> None:
    """Raise a `DataError` where there is no such file."""
    if not local_path(path).exists():
        raise DataError(missing_file(path))


def _read_parquet(path: str | os.PathLike[str], raw: bytes) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(raw))
    except ImportError:
        raise missing_pyarrow(path) from None
    except Exception as error:  # pyarrow has errors of its own
        raise DataError(f"{path} can't be read as a Parquet file: {first_line(error)}") from None
    return with_plain_index(frame)


def missing_pyarrow(path: str | os.PathLike[str]) -> DataError:
    """Return the error of a Parquet file where pyarrow is not installed."""
    return DataError(
        f"{path} is a Parquet file, which pandas reads with pyarrow: install pyarrow, or save it "
        "as CSV"
    )


def with_plain_index(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table with numbered rows; an index with a name was a column once."""
    is_named = any(name is not None for name in frame.index.names)
    return frame.reset_index() if is_named else frame.reset_index(drop=True)


def _decompress(path: str | os.PathLike[str], raw: bytes) -> bytes:
    """Decompress a file of gzip, bzip2, xz or zip; return any other as it is."""
    try:
        for signature, module in DECOMPRESSORS:
            if raw.startswith(signature):
                return module.decompress(raw)
        if raw.startswith(file_kinds.ZIP) and not file_kinds.describe_foreign(raw, str(path)):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                (name,) = (name for name in archive.namelist() if not name.endswith("/"))
                return archive.read(name)
    except DECOMPRESSION_ERRORS as error:
        raise DataError(f"{path} can't be decompressed: {first_line(error)}") from None
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
