"""Columns of a user's table that no model takes, by which metrics are sliced."""

import re
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.frames import check_has_column
from keras_fm.preprocessing.array_likes import column_name

if TYPE_CHECKING:
    import pandas as pd

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def further_columns(
    frame: "pd.DataFrame", source: UserData, description: str
) -> dict[str, np.ndarray]:
    """Return the columns that a user names: numbers and dates, NaN or NaT where one is missing.

    All else becomes strings, "" where one is missing.

    Args:
        frame: The table.
        source: Names the columns.
        description: Of the table.

    Raises:
        DataError: The table has no such column.
    """
    columns = {}
    for name in source.columns:
        label = column_name(name)
        check_has_column(frame, label, description)
        columns[name] = _to_array(frame[label])
    return columns


def _to_array(cells: "pd.Series") -> np.ndarray:
    import pandas as pd

    if cells.dtype.kind in "iuf":
        return cells.to_numpy("float64", na_value=np.nan)
    if cells.dtype.kind == "M":
        return cells.to_numpy("datetime64[s]")
    is_missing = cells.isna().to_numpy()
    strings = np.where(is_missing, "", cells.map(_to_string).to_numpy(object))
    present = strings[strings != ""]
    if len(present) and all(map(_ISO_DATE.match, present)):
        dates = pd.to_datetime(pd.Series(strings), format="ISO8601", errors="coerce", utc=True)
        if dates.notna().sum() == len(present):
            return dates.dt.tz_localize(None).to_numpy("datetime64[s]")
    return strings


def _to_string(cell: object) -> str:
    return (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else f"{cell}").strip()
