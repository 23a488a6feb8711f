"""Tables of a user's own: their columns, the column to predict, and the examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_fm.data import classes, column_inference, user_data
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes, RawExamples, UserData
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.preprocessing import table_inputs
from keras_fm.registry.entry import Input, Target

if TYPE_CHECKING:
    import pandas as pd

ProblemType = Literal["regression", "classification"]
PROBLEM_TYPES = ("regression", "classification")

# A column of integers with more different values is a regression target, not one of classes.
MAX_INTEGER_CLASSES = 20


@dataclass(frozen=True)
class TableData:
    """A table to train on.

    Attributes:
        columns: The inputs of a model.
        problem_type: "regression" or "classification".
        class_names: Of a classification, in the order of the class indices; else empty.
        target: The column to predict.
        examples: The rows, shuffled.
        notes: Sentences on what was left out or converted.
    """

    columns: tuple[Input, ...]
    problem_type: ProblemType
    class_names: tuple[str, ...]
    target: Target
    examples: Examples
    notes: DataNotes


def load_table(
    source: UserData,
    *,
    seed: int = 0,
    known_columns: Sequence[Input] | None = None,
    known_class_names: Sequence[str] = (),
    known_target: Target | None = None,
) -> TableData:
    """Load a table to train on, and infer its columns and the problem type.

    Args:
        source: A CSV file with a header, where an empty cell, NA or NaN is missing; a data frame;
            or (columns, targets). Its `target` is the column to predict. Its `problem_type` None:
            strings, truth values and integers of few different values are classes, anything else
            is a regression target.
        seed: Of the shuffling: files are often sorted.
        known_columns: Of a pretrained model: kept where the table has them all, of the same type;
            else, and where it is None, the columns are inferred.
        known_class_names: The classes of a model; the same names in another order take its order.
        known_target: Of a pretrained model: kept with its scale where it has the same name.

    Raises:
        DataError: The file can't be read, has no such column, or nothing can be learned from it.
        InvalidInputError: An option of `source` does not fit a table.
    """
    frame, target_name, description = _read_frame(source)
    if source.text is not None:
        raise InvalidInputError("text is the column of the texts; a table has columns of any kind")
    if source.problem_type not in (None, *PROBLEM_TYPES):
        expected = " or ".join(map(repr, PROBLEM_TYPES))
        raise InvalidInputError(f"problem_type is {expected}; received {source.problem_type!r}")
    notes = DataNotes()
    frame = _drop_missing_targets(frame, target_name, notes, description)
    frame = frame.sample(frac=1, random_state=seed)
    cells = frame[target_name]
    if known_columns is not None and _has_columns(frame, known_columns, target_name):
        columns = tuple(known_columns)
    else:
        inferred, sentences = column_inference.infer_columns(frame.drop(columns=target_name))
        columns = tuple(inferred)
        notes += sentences
    if not columns or len(frame) < 2:
        raise DataError(
            f"{description}: nothing to learn from {len(frame):,} rows with {len(columns)} usable "
            "columns"
        )
    inputs = table_inputs.read_rows(frame, columns)
    description += f", column {target_name!r}"
    problem_type = source.problem_type or (
        "classification" if source.class_names else _infer_problem_type(cells)
    )
    if problem_type == "regression":
        if source.class_names is not None:
            raise InvalidInputError(
                f"class_names are those of a classification; {description} holds numbers to predict"
            )
        targets = _to_floats(cells, description)
        target = Target(name=target_name, description="the number to predict")
        if known_target is not None and _is_on_scale_of(known_target, target_name, targets):
            target = known_target
        examples = Examples(inputs, targets, description)
        return TableData(columns, "regression", (), target, examples, notes)
    raw = RawExamples(list(cells), list(cells), description, notes=notes)
    inferred_classes = classes.infer_classes(
        raw, class_names=source.class_names, known_names=known_class_names
    )
    return TableData(
        columns,
        "classification",
        inferred_classes.class_names,
        Target(name=target_name, description="the class to predict"),
        Examples(inputs, inferred_classes.targets, description),
        notes,
    )


def load_eval_table(
    source: UserData, *, columns: Sequence[Input], target: str, class_names: Sequence[str] = ()
) -> Examples:
    """Load a table to evaluate a model on.

    Args:
        source: A table with the model's columns and the one that it predicts.
        columns: The inputs of the model.
        target: The name of the column that it predicts.
        class_names: Of a classifier; empty: a regression.

    Raises:
        DataError: A column is missing, or a target is none of the model's classes.
    """
    strings = [column.name for column in columns if column.dtype == "string"]
    strings += [target] if any(map(column_inference.has_leading_zero, class_names)) else []
    frame, _, description = _read_frame(replace(source, target=target), strings)
    for column in columns:
        _check_has_column(frame, column.name, description)
    frame = _drop_missing_targets(frame, target, DataNotes(), description)
    inputs = table_inputs.read_rows(frame, columns)
    if not class_names:
        return Examples(inputs, _to_floats(frame[target], description), description)
    raw = RawExamples(inputs, list(frame[target]), f"{description}, column {target!r}")
    return Examples(inputs, classes.encode_targets(raw, class_names).targets, description)


def _read_frame(
    source: UserData, string_columns: Sequence[str] = ()
) -> "tuple[pd.DataFrame, str, str]":
    """Read a table; return it, the name of the column to predict, and a description.

    Args:
        source: The user's table.
        string_columns: Columns of a CSV file whose cells are not converted to numbers.
    """
    import pandas as pd

    if isinstance(source.data, pd.DataFrame):
        description = f"a data frame of {len(source.data):,} rows"
        frame = table_inputs.with_string_names(source.data, description)
    elif (path := source.path) is not None:
        frame = table_inputs.read_csv(path, dict.fromkeys(string_columns, str))
        description = str(path)
    else:
        return _from_arrays(source)
    if source.target is None:
        raise InvalidInputError(
            f"say which column of {description} to predict: target=, or --target"
        )
    target = str(source.target)
    _check_has_column(frame, target, description)
    return frame, target, description


def _check_has_column(frame: "pd.DataFrame", name: str, description: str) -> None:
    if name not in frame:
        raise DataError(
            f"{description} has no column {name!r}. {suggest(name, frame.columns)}"
            f"{table_inputs.separator_hint(frame.columns)}"
        )


def _from_arrays(source: UserData) -> "tuple[pd.DataFrame, str, str]":
    import pandas as pd

    raw = user_data.read_arrays(source, rank=0)
    inputs = raw.inputs
    if isinstance(inputs, pd.DataFrame):
        frame = table_inputs.with_string_names(inputs, raw.description)
        inputs = dict(frame.reset_index(drop=True))
    if not isinstance(inputs, dict):
        raise DataError(
            f"{raw.description}: expected columns by name, or a CSV file; received "
            f"{type(inputs).__name__}"
        )
    target = source.target or "target"
    targets = raw.targets if raw.class_names is None else np.array(raw.class_names)[raw.targets]
    frame = pd.DataFrame({**inputs, target: list(targets)})
    for name, cells in frame.items():
        if cells.dtype == object:
            frame[name] = cells.map(_decode)
    return frame, target, raw.description


def _decode(cell: Any) -> Any:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def _drop_missing_targets(
    frame: "pd.DataFrame", target: str, notes: DataNotes, description: str
) -> "pd.DataFrame":
    """Drop the rows without a target, also where a word such as "?" stands among numbers."""
    numbers, _ = column_inference.to_numeric(frame[target])
    if numbers is not None:
        frame = frame.assign(**{target: numbers})
    is_missing = frame[target].isna()
    num_missing = int(is_missing.sum())
    if num_missing == len(frame):
        raise DataError(f"{description}: no row has a {target!r}")
    if num_missing:
        notes.warn(f"{num_missing:,} of {len(frame):,} rows without {target!r} are left out")
    return frame[~is_missing]


def _has_columns(frame: "pd.DataFrame", columns: Sequence[Input], target: str) -> bool:
    """Return whether a table has all the columns of a model, of the same type."""
    return all(
        column.name in frame
        and column.name != target
        and column_inference.is_numeric(frame[column.name]) == (column.dtype != "string")
        for column in columns
    )


def _is_on_scale_of(known_target: Target, name: str, targets: np.ndarray) -> bool:
    """Return whether a model's target has this name and can have these values."""
    return known_target.name == name and not (known_target.log and targets.min() <= 0)


def _infer_problem_type(cells: "pd.Series") -> ProblemType:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not is_numeric_dtype(cells) or is_bool_dtype(cells):
        return "classification"
    are_integers = (cells % 1 == 0).all()
    has_few = cells.nunique() <= MAX_INTEGER_CLASSES
    return "classification" if are_integers and has_few else "regression"


def _to_floats(cells: "pd.Series", description: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        value = cells[numbers.isna()].iloc[0]
        raise DataError(f"{description}: expected numbers in {cells.name!r}; received {value!r}")
    return numbers.to_numpy("float64")
