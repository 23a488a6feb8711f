"""How messages call the rows of a table: by the file that they come from, where there is one."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_INDEX_NAMES = ["file", "row"]


def with_row_names(
    frame: "pd.DataFrame", path: str | os.PathLike[str], first_row: int = 1
) -> "pd.DataFrame":
    """Return a table of a file with an index of the file and the number of each row.

    Args:
        frame: Some consecutive rows of the file.
        path: The file.
        first_row: The number of the first of them; the file's first row is 1.
    """
    import pandas as pd

    numbers = range(first_row, first_row + len(frame))
    index = pd.MultiIndex.from_product([[os.fspath(path)], numbers], names=_INDEX_NAMES)
    return frame.set_axis(index, axis="index")


def row_name(index: "pd.Index", position: int) -> str:
    """Return how a message calls the row at a position of an index."""
    return row_names(index[position : position + 1])[0]


def row_names(index: "pd.Index") -> list[str]:
    """Return how messages call the rows of an index."""
    if [*index.names] != _INDEX_NAMES:
        return [f"row {label}" for label in index]
    return [f"row {number:,} of {file}" for file, number in index]
