"""Tables of a user's own: their columns, the column to predict, and the examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.data.user import classes
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import ProblemType, UserData
from keras_fm.data.user.tables import (
    frames,
    inference,
    leakage,
    matching,
    number_checks,
    number_columns,
    parsed_columns,
)
from keras_fm.data.user.tables.column_reports import describe_columns
from keras_fm.data.user.tables.further_columns import further_columns
from keras_fm.data.user.tables.number_columns import NumberColumn
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.formatting import choose_form, format_count
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.columns import is_parsed, text_columns
from keras_fm.preprocessing.tables.inputs import read_rows
from keras_fm.preprocessing.tables.row_names import row_name, row_names
from keras_fm.registry.entry import Input, Target

if TYPE_CHECKING:
    import pandas as pd

PROBLEM_TYPES = ("regression", "classification")

# A column of integers with more different values is a regression target, not one of classes.
MAX_INTEGER_CLASSES = 20


@dataclass(frozen=True)
class TableData:
    """A table to train on.

    Attributes:
        columns: The inputs of a model.
        class_names: Of a classification, in the order of the class indices; else empty.
        target: The column to predict.
        examples: The rows, shuffled.
        notes: Sentences on what was left out or converted.
    """

    columns: tuple[Input, ...]
    class_names: tuple[str, ...]
    target: Target
    examples: Examples
    notes: DataNotes

    @property
    def problem_type(self) -> ProblemType:
        """Whether the target is one of classes or a number."""
        return "classification" if self.class_names else "regression"


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
        source: A file that `read_table` reads, a data frame, or (columns, targets). Its `target` is
            the column to predict. Its `problem_type` None: strings, truth values and integers of
            few different values are classes, anything else is a regression target.
        seed: Of the shuffling: files are often sorted.
        known_columns: Of a pretrained model: kept where the table has them all, of the same type;
            else, and where it is None, the columns are inferred.
        known_class_names: The classes of a model; the same names in another order take its order.
        known_target: Of a pretrained model: kept with its scale where it has the same name.

    Raises:
        DataError: The file can't be read, has no such column, or nothing can be learned from it.
        InvalidInputError: An option of `source` does not fit a table.
    """
    notes = DataNotes()
    frame, target_name, description = frames.read_frame(source, notes)
    if source.text is not None:
        raise InvalidInputError("text is the column of the texts; a table has columns of any kind")
    if source.problem_type not in (None, *PROBLEM_TYPES):
        expected = " or ".join(map(repr, PROBLEM_TYPES))
        raise InvalidInputError(f"problem_type is {expected}; received {source.problem_type!r}")
    known_names = [] if known_columns is None else [column.name for column in known_columns]
    all_names = [*frame.columns]
    frame = inference.drop_row_numbers(frame, notes, {target_name, *known_names})
    row_numbers = {name: "row numbers" for name in all_names if name not in frame}
    _check_target(frame[target_name], source, description)
    known_classes = source.class_names
    if known_classes is None and source.problem_type == "classification":
        known_classes = ()
    frame = frames.drop_missing_targets(frame, target_name, notes, description, known_classes)
    frame = frame.sample(frac=1, random_state=seed)
    cells = frame[target_name]
    inputs = frame.drop(columns=target_name)
    numbers = {name: number_columns.read_numbers(column) for name, column in inputs.items()}
    if known_columns is not None and matching.has_columns(frame, known_columns, numbers):
        columns = tuple(known_columns)
        names = {column_name(column.name) for column in columns}
        left_out = {name: "not of the model" for name in inputs if name not in names}
    else:
        inferred = inference.infer_columns(inputs, numbers, notes, source.text_buckets)
        columns, left_out = inferred.columns, {**row_numbers, **inferred.left_out}
        if source.text_buckets and not text_columns(columns):
            notes.warn(
                f"text_buckets = {source.text_buckets} has no effect: no column is one of free text"
            )
    notes.insert(0, describe_columns(columns, left_out))
    if not columns or len(frame) < 2:
        raise DataError(
            f"{description}: nothing to learn from {format_count(len(frame), 'row')} with "
            f"{format_count(len(columns), 'usable column')}"
        )
    raw_columns = _read_columns(frame, columns, numbers, notes)
    may_be_ids = [
        column_name(column.name)
        for column in columns
        if not is_parsed(column) and column.hash_buckets is None
    ]
    leakage.warn_ids(inputs, numbers, may_be_ids, notes)
    description += f", column {target_name!r}"
    is_classification = source.class_names is not None and source.problem_type is None
    problem_type = source.problem_type or (
        "classification" if is_classification else _infer_problem_type(cells)
    )
    if problem_type == "classification":
        raw = RawExamples(list(cells), list(cells), description, notes=notes)
        inferred_classes = classes.infer_classes(
            raw,
            class_names=source.class_names,
            known_names=known_class_names,
            advice=_advise_regression(cells, source),
        )
        class_names, targets = inferred_classes.class_names, inferred_classes.targets
        target = Target(name=target_name, description="the class to predict")
    elif source.class_names is None:
        class_names, targets = (), _to_floats(cells, description)
        target = _regression_target(target_name, targets, known_target)
    else:
        raise InvalidInputError(
            f"class_names are those of a classification; {description} holds numbers to predict"
        )
    leakage.warn_giveaways(raw_columns, target_name, targets, notes, regression=not class_names)
    examples = Examples(raw_columns, targets, description)
    return TableData(columns, class_names, target, examples, notes)


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
    strings += [target] if any(map(number_columns.has_leading_zero, class_names)) else []
    notes = DataNotes()
    frame, _, description = frames.read_frame(replace(source, target=target), notes, strings)
    for column in columns:
        frames.check_has_column(frame, column_name(column.name), description)
    frame = frames.drop_missing_targets(frame, target, notes, description, class_names or None)
    numbers = {
        name: number_columns.read_numbers(frame[name])
        for column in columns
        if (name := column_name(column.name)) and column.dtype != "string"
    }
    inputs = _read_columns(frame, columns, numbers, notes)
    if not class_names:
        targets = _to_floats(frame[target], description)
    else:
        raw = RawExamples(inputs, list(frame[target]), f"{description}, column {target!r}")
        targets = classes.encode_targets(raw, class_names).targets
    names = np.array(row_names(frame.index), object)
    further = further_columns(frame, source, description)
    return Examples(inputs, targets, description, names, further)


def _read_columns(
    frame: "pd.DataFrame",
    columns: Sequence[Input],
    numbers: Mapping[str, NumberColumn],
    notes: DataNotes,
) -> dict[str, np.ndarray]:
    """Read the columns of a model; among numbers or dates a few words count as missing: told."""
    names = [column_name(column.name) for column in columns if column.dtype != "string"]
    frame = number_columns.with_numbers(frame, {name: numbers[name] for name in names}, notes)
    return read_rows(parsed_columns.with_parsed_columns(frame, columns, notes), columns)


def _check_target(cells: "pd.Series", source: UserData, description: str) -> None:
    """Raise a `DataError` where numbers to predict are written as this does not read them."""
    if source.problem_type == "classification" or source.class_names is not None:
        return
    reason = number_columns.read_numbers(cells).reason
    if reason.startswith("the numbers") or (reason and source.problem_type == "regression"):
        raise DataError(
            f"{description}: expected numbers or classes in {cells.name!r}; {reason}. If they are "
            "classes, say problem_type='classification'"
        )


def _regression_target(name: str, targets: np.ndarray, known_target: Target | None) -> Target:
    """Return a model's target where it has this name and can have these values, or a new one."""
    if known_target is not None and _is_on_scale_of(known_target, name, targets):
        return known_target
    scale = number_checks.power_of_ten(targets)
    return Target(name=name, description="the number to predict", scale=scale)


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


def _advise_regression(cells: "pd.Series", source: UserData) -> str:
    """Return what to do where numbers were taken for classes, and are none; else nothing."""
    from pandas.api.types import is_numeric_dtype

    if source.problem_type is not None or not is_numeric_dtype(cells):
        return ""
    return (
        f"integers of at most {MAX_INTEGER_CLASSES} different values are taken for classes; if "
        "they are numbers to predict, say problem_type='regression' (--problem-type regression)"
    )


def _to_floats(cells: "pd.Series", description: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    with np.errstate(over="ignore"):  # a number that float32 does not hold becomes infinite
        is_infinite = np.isinf(numbers.to_numpy("float64", na_value=np.nan).astype("float32"))
    if is_infinite.any():
        count = int(is_infinite.sum())
        raise DataError(
            f"{description}: expected finite numbers that float32 holds in {cells.name!r}; "
            f"{count:,} of {len(cells):,} {choose_form(count, 'is', 'are')} not, such as "
            f"{cells.iloc[is_infinite.argmax()]:g} in "
            f"{row_name(cells.index, int(is_infinite.argmax()))}: leave such rows out"
        )
    if numbers.isna().any():
        value = cells[numbers.isna()].iloc[0]
        reason = number_columns.read_numbers(cells).reason
        raise DataError(
            f"{description}: expected numbers in {cells.name!r}; received {value!r}"
            f"{f': {reason}' if reason else ''}"
        )
    return numbers.to_numpy("float64")
