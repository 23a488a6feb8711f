"""Tables, columns and scalars of other libraries: pandas, polars, pyarrow, TensorFlow, PyTorch.

Without TensorFlow, and without pandas where the user has none.
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    import pandas as pd


def as_frame(table: Any) -> "pd.DataFrame | None":
    """Return a table of pandas, polars or pyarrow as a data frame; None: it is no table.

    Raises:
        InvalidInputError: A package is missing that converts it.
    """
    pandas = sys.modules.get("pandas")  # whoever has a data frame has imported it
    if isinstance(table, getattr(pandas, "DataFrame", ())):
        return table
    converted = _to_pandas(table)
    import pandas as pd

    return converted if isinstance(converted, pd.DataFrame) else None


def with_string_names(frame: "pd.DataFrame", description: str) -> "pd.DataFrame":
    """Convert the names of a data frame's columns to strings without outer blanks.

    Args:
        frame: The table.
        description: Of the table, for the message.

    Raises:
        DataError: Two columns have the same name, or a name has several levels.
    """
    if frame.columns.nlevels > 1:
        raise DataError(
            f"{description} has columns of {frame.columns.nlevels} levels, such as "
            f"{frame.columns[0]!r}; join them: frame.columns = ['_'.join(map(str, name)) for name "
            "in frame.columns]"
        )
    frame = frame.set_axis([column_name(name) for name in frame.columns], axis="columns")
    duplicates = frame.columns[frame.columns.duplicated()]
    if len(duplicates):
        raise DataError(f"{description} has two columns {duplicates[0]!r}; give one another name")
    return frame


def column_name(name: Any) -> str:
    """Return the name of a column as a string: numbers are names too, and outer blanks not."""
    return str(name).strip()


def to_scalar(value: Any) -> Any:
    """Return a tensor or an array without a dimension as a scalar, anything else as it is."""
    if not _is_array(value) or np.ndim(array := np.asarray(value)):
        return value
    return array.item()


def to_list(values: Any) -> Any:
    """Return the values of a column, or of a list of tensors, without types of other libraries.

    Args:
        values: A column of pandas, polars or pyarrow, a tensor, an array, or a sequence.

    Returns:
        An array, or a list. Each item is a scalar, or an array where it has dimensions.
    """
    values = _to_pandas(values)
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, (pandas.Series, pandas.Index)):
        values = values.tolist()
    if hasattr(values, "__array__") and not isinstance(values, np.ndarray):
        return np.asarray(values)
    is_plain = isinstance(values, np.ndarray) and values.dtype != object
    return values if is_plain else [_to_array(value) for value in values]


def _to_array(value: Any) -> Any:
    value = to_scalar(value)
    return np.asarray(value) if _is_array(value) else value


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, (np.generic, type))


def _to_pandas(table: Any) -> Any:
    """Convert a table or a column that knows how to become one of pandas."""
    convert = getattr(table, "to_pandas", None)
    if not callable(convert) or isinstance(table, type):
        return table
    try:
        return convert()
    except ImportError as error:
        raise InvalidInputError(
            f"a {type(table).__name__} of {type(table).__module__.partition('.')[0]} can't become "
            f"one of pandas: {error}"
        ) from None
