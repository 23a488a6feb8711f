"""Tables in CSV, and in TSV, whose cells lie between tabs. Without TensorFlow."""

import csv
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_fm.errors import DataError, DataWarning
from keras_fm.formatting import choose_form, first_line, format_count, format_names

if TYPE_CHECKING:
    import pandas as pd

TSV_SUFFIXES = (".tsv", ".tab")
_MAX_CELL = 2**31 - 1  # bytes of a cell; the csv module's default is 131,072


def read_csv(path: str | os.PathLike[str], text: str, dtype: Any) -> "pd.DataFrame":
    """Read the text of a CSV file.

    Args:
        path: Of the file, for messages.
        text: Its content.
        dtype: As `read_table` takes it.

    Raises:
        DataError: As `read_table` raises it.
    """
    import pandas as pd

    layout = scan_csv(path, io.StringIO(text, newline=""))
    try:
        frame = pd.read_csv(io.StringIO(text), **csv_options(layout, dtype))
    except ValueError as error:  # pandas' own errors are such
        raise csv_error(path, error) from None
    return frame.drop(columns=layout.empty_names)


@dataclass(frozen=True)
class CsvLayout:
    """The columns and the length of a CSV file.

    Attributes:
        names: Of its columns; those that have none are called as pandas calls them.
        empty_names: Of the columns without a name and without cells: a comma at the end of each
            line, the header's too, makes one.
        num_rows: Below the header.
        delimiter: Between the cells.
    """

    names: list[str]
    empty_names: list[str]
    num_rows: int
    delimiter: str = ","


def csv_options(layout: CsvLayout, dtype: Any) -> dict[str, Any]:
    """Return the arguments of `pandas.read_csv` for a file of this layout."""
    return {
        "header": 0,
        "sep": layout.delimiter,
        "names": layout.names,
        "usecols": range(len(layout.names)),  # more cells in a row are empty: `scan_csv`
        "index_col": False,
        "dtype": dtype,
        "skipinitialspace": True,
        "keep_default_na": False,
        "na_values": [""],
        "low_memory": False,  # else the types of a long file's parts are inferred one by one
    }


def delimiter_of(path: str | os.PathLike[str]) -> str:
    """Return what lies between the cells of a file: tabs in `.tsv`, also a compressed one."""
    suffixes = Path(path).suffixes[-2:]
    return "\t" if any(suffix.lower() in TSV_SUFFIXES for suffix in suffixes) else ","


def csv_error(path: str | os.PathLike[str], error: Exception) -> DataError:
    """Return the error of a file that can't be read as CSV."""
    return DataError(f"{path} can't be read as a CSV file: {first_line(error)}")


def read_header(path: str | os.PathLike[str], beginning: str, *, is_all: bool) -> list[str] | None:
    """Return the names of the columns from the beginning of a CSV file; None where it has too few.

    Args:
        path: Of the file.
        beginning: Its first characters.
        is_all: Whether the file has no more.
    """
    lines = io.StringIO(beginning, newline="")
    try:
        with _unlimited_cells():
            reader = csv.reader(lines, skipinitialspace=True, delimiter=delimiter_of(path))
            rows = (row for row in reader if any(cell.strip() for cell in row))
            header = next(rows, None)
    except csv.Error:
        return None
    if header is None or not (is_all or lines.read(1)):
        return None
    return _with_pandas_names([name.strip() for name in header])


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


def scan_csv(path: str | os.PathLike[str], lines: Iterable[str]) -> CsvLayout:
    """Read a CSV file without keeping it, and return its layout.

    Rows of fewer cells than the header get a warning.

    Raises:
        DataError: Two columns have the same name, or a row has more cells.
    """
    with _unlimited_cells():
        delimiter = delimiter_of(path)
        reader = csv.reader(iter(lines), skipinitialspace=True, delimiter=delimiter)
        rows = _rows(path, reader)
        header = next((row for row in rows if any(cell.strip() for cell in row)), None)
        if header is None:
            raise DataError(f"{path} can't be read as a CSV file: it has no header")
        header = [name.strip() for name in header]
        _check_names(path, header)
        width, line = len(header), reader.line_num
        empty = {index for index, name in enumerate(header) if not name}
        short_lines, num_rows = [], 0
        for row in rows:
            num_rows += bool(row)
            if 0 < len(row) < width and (len(row) > 1 or row[0].strip()):
                short_lines.append(line + 1)
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                raise DataError(
                    f"{path}, line {line + 1:,}: expected {width} cells, as in the header; "
                    f"received {len(row)}, the last {row[-1].strip()!r:.40}. A cell with a "
                    f"{'comma' if delimiter == ',' else 'tab'} stands in quotes, and a quote in it "
                    "twice."
                    f"{separator_hint(header)}"
                )
            if empty:
                empty -= {index for index in empty if index < len(row) and row[index].strip()}
            line = reader.line_num
    _warn_short_lines(path, short_lines)
    names = _with_pandas_names(header)
    return CsvLayout(names, [names[index] for index in sorted(empty)], num_rows, delimiter)


def _check_names(path: str | os.PathLike[str], header: list[str]) -> None:
    names = [name for name in header if name]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise DataError(f"{path} has two columns {duplicate!r}; give one another name")


def _warn_short_lines(path: str | os.PathLike[str], lines: list[int]) -> None:
    if not lines:
        return
    warnings.warn(
        f"{path}: {format_count(len(lines), 'row')} {choose_form(len(lines), 'has', 'have')} "
        f"fewer cells than the header, in {choose_form(len(lines), 'line', 'lines')} "
        f"{format_names([f'{line:,}' for line in lines])}: the other cells count as missing",
        DataWarning,
        stacklevel=2,
    )


def _rows(path: str | os.PathLike[str], reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"{path} can't be read as a CSV file: {first_line(error)}") from None


@contextmanager
def _unlimited_cells() -> Iterator[None]:
    """Let the csv module read cells of any length; its limit is a global setting."""
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def separator_hint(names: Iterable[Any]) -> str:
    """Return a sentence where a table's only name looks like a header with another separator."""
    header = [*map(str, names)]
    separators = [sign for sign in (";", "\t", "|") if len(header) == 1 and sign in header[0]]
    if not separators:
        return ""
    return f" The cells seem to lie between {separators[0]!r}; expected commas."
