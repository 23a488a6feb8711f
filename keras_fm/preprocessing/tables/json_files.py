"""Tables in JSON: a row a line, a list of rows, or columns by name. Without TensorFlow."""

import io
import json
import os
from typing import TYPE_CHECKING, Any

from keras_fm.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Of pandas' DataFrame.to_json with orient="split" or "table".
_FRAME_KEYS = ({"columns", "data"}, {"columns", "data", "index"}, {"schema", "data"})


def looks_like_json(text: str) -> bool:
    """Return whether a text is a row of JSON a line, or begins a list of them."""
    start = text[:1000].lstrip()
    if start.startswith("["):
        return start[1:].lstrip().startswith("{")
    if not start.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text.lstrip().partition("\n")[0]), dict)
    except ValueError:
        return start[1:].lstrip().startswith('"')


def read_json(path: str | os.PathLike[str], text: str) -> "pd.DataFrame":
    """Read rows, or columns by name, in JSON.

    Raises:
        DataError: It is no JSON, or no table.
    """
    import pandas as pd

    table = _parse_json(path, text)
    names = None
    if isinstance(table, dict) and {*table} in _FRAME_KEYS:
        table, names = table["data"], table.get("columns")
    is_columns = isinstance(table, dict) and any(
        isinstance(x, (dict, list)) for x in table.values()
    )
    if isinstance(table, dict) and not is_columns:
        table = [table]
    row_type = list if names is not None else dict
    is_rows = isinstance(table, list) and all(isinstance(row, row_type) for row in table)
    if not (is_rows or is_columns):
        raise DataError(
            f'{path}: expected rows in JSON, such as {{"size": 1.5, "kind": "a"}}, one a line or '
            f"in a list; received {text.strip()!r:.40}"
        )
    try:
        return pd.DataFrame(table, columns=names).reset_index(drop=True)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} can't be read as a table: {error}") from None


def _parse_json(path: str | os.PathLike[str], text: str) -> Any:
    """Parse one JSON value, or else a value a line."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    rows = []
    for number, line in enumerate(io.StringIO(text), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise DataError(f"{path}, line {number:,}: can't be read as JSON: {error}") from None
    return rows
