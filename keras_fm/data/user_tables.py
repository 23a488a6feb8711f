"""A table of the user's own: what its columns are, what is asked of it, and its examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_fm.data import classes, column_inference, user_data
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes, RawExamples, UserData
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import table_inputs
from keras_fm.registry.entry import Input, Target

if TYPE_CHECKING:
    import pandas as pd

ProblemType = Literal["regression", "classification"]
PROBLEM_TYPES = ("regression", "classification")

# A whole number with more values than this is a quantity, not a class.
MAX_INTEGER_CLASSES = 20


def load_table(
    source: UserData, identity: ModelSpec, *, seed: int = 0, going_on: bool = False
) -> tuple[ModelSpec, Examples, list[str]]:
    """Finds out what a table holds, for a model of tables to learn from it.

    What its columns are, and which are left out, says `finding_columns`.

    Args:
        source: a CSV file with a header, where an empty cell, NA or NaN is missing; a data frame;
            columns and targets. Its `target` is the column to answer. Its `kind` is "regression"
            or "classification"; None: strings, truth values and few whole numbers are classes,
            anything else is a quantity.
        identity: of the zoo's model that is to learn.
        seed: of the rows' new order, for a file is often sorted.
        going_on: keep the columns that the model knows, where the table has them all.

    Returns:
        The identity of a model for this table, the rows, and a sentence for all that was left out.

    Raises:
        DataError: the file can't be read, has no such column, or nothing can be learned from it.
    """
    frame, target, origin = _frame(source)
    if source.text is not None:
        raise InvalidInputError("text is the column of the texts; a table has columns of any kind")
    if source.kind not in (None, *PROBLEM_TYPES):
        kinds = " or ".join(map(repr, PROBLEM_TYPES))
        raise InvalidInputError(f"kind is {kinds}; received {source.kind!r}")
    notes = DataNotes()
    frame = _with_target(frame, target, notes, origin).sample(frac=1, random_state=seed)
    columns = _known_columns(identity, frame, target) if going_on else None
    if columns is None:
        columns, told = column_inference.infer_columns(frame.drop(columns=target))
        notes += told
    if not columns or len(frame) < 2:
        raise DataError(
            f"{origin}: nothing to learn from {len(frame):,} rows with {len(columns)} usable "
            "columns"
        )
    inputs = table_inputs.read_rows(frame, columns)
    found = replace(identity, inputs=tuple(columns))
    kind = source.kind or ("classification" if source.labels else _kind_of(frame[target]))
    answer = _regression if kind == "regression" else _classification
    origin = f"{origin}, column {target!r}"
    found, targets = answer(found, frame[target], origin, notes, source.labels)
    if going_on and _same_quantity(identity, found, targets):
        found = replace(found, target=identity.target)
    return found, Examples(inputs, targets, origin), notes


def load_eval_table(source: UserData, identity: ModelSpec) -> Examples:
    """The rows of another table with the same columns, its target among them.

    Raises:
        DataError: a column is missing, or the target has a value that the model does not know.
    """
    name = identity.target.name if identity.target else ""
    strings = [column.name for column in identity.inputs if column.dtype == "string"]
    strings += [name] if any(map(column_inference.has_leading_zero, identity.labels)) else []
    frame, _, origin = _frame(replace(source, target=name), strings)
    for column in identity.inputs:
        _require(frame, column.name, origin)
    frame = _with_target(frame, name, DataNotes(), origin)
    inputs = table_inputs.read_rows(frame, identity.inputs)
    if identity.labels:
        given = RawExamples(inputs, list(frame[name]), f"{origin}, column {name!r}")
        targets = classes.encode_targets(given, identity.labels).targets
    else:
        targets = _quantities(frame[name], origin)
    return Examples(inputs, targets, origin)


def _frame(source: UserData, strings: Sequence[str] = ()) -> "tuple[pd.DataFrame, str, str]":
    """The table, the name of the column to answer, and where it is from.

    Args:
        strings: columns of a CSV file whose cells stay as they stand there.
    """
    import pandas as pd

    if isinstance(source.data, pd.DataFrame):
        origin = f"a data frame of {len(source.data):,} rows"
        frame = table_inputs.with_string_names(source.data, origin)
    elif (path := source.path) is not None:
        frame, origin = table_inputs.read_csv(path, dict.fromkeys(strings, str)), str(path)
    else:
        return _of_columns(source)
    if source.target is None:
        raise InvalidInputError(f"say which column of {origin} to answer: target=, or --target")
    target = str(source.target)
    _require(frame, target, origin)
    return frame, target, origin


def _require(frame: "pd.DataFrame", name: str, origin: str) -> None:
    if name not in frame:
        raise DataError(
            f"{origin} has no column {name!r}. {suggest(name, frame.columns)}"
            f"{table_inputs.separator_hint(frame.columns)}"
        )


def _of_columns(source: UserData) -> "tuple[pd.DataFrame, str, str]":
    import pandas as pd

    given = user_data.read_arrays(source, rank=0)
    inputs = given.inputs
    if isinstance(inputs, pd.DataFrame):
        inputs = dict(table_inputs.with_string_names(inputs, given.origin).reset_index(drop=True))
    if not isinstance(inputs, dict):
        raise DataError(
            f"{given.origin}: expected columns by name, or a CSV file; received "
            f"{type(inputs).__name__}"
        )
    target = source.target or "target"
    answers = given.targets if given.names is None else np.array(given.names)[given.targets]
    frame = pd.DataFrame({**inputs, target: list(answers)})
    return frame.map(_as_text), target, given.origin


def _as_text(cell: Any) -> Any:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def _with_target(
    frame: "pd.DataFrame", target: str, notes: DataNotes, origin: str
) -> "pd.DataFrame":
    """The rows that have an answer; among numbers, "?" and the like are none."""
    numbers, _ = column_inference.to_numeric(frame[target])
    if numbers is not None:
        frame = frame.assign(**{target: numbers})
    unknown = int(frame[target].isna().sum())
    if unknown == len(frame):
        raise DataError(f"{origin}: no row has a {target!r}")
    if unknown:
        notes.warn(f"{unknown:,} of {len(frame):,} rows without {target!r} are left out")
    return frame[frame[target].notna()]


def _known_columns(identity: ModelSpec, frame: "pd.DataFrame", target: str) -> list[Input] | None:
    """The model's own columns, where the table has each of them, of the same kind."""
    fitting = all(
        column.name in frame
        and column.name != target
        and column_inference.is_numeric(frame[column.name]) == (column.dtype != "string")
        for column in identity.inputs
    )
    return list(identity.inputs) if fitting else None


def _same_quantity(before: ModelSpec, now: ModelSpec, targets: np.ndarray) -> bool:
    """Whether a model that goes on answers what it did, on the same scale."""
    if before.target is None or now.target is None or now.labels:
        return False
    return before.target.name == now.target.name and not (before.target.log and targets.min() <= 0)


def _kind_of(cells: "pd.Series") -> ProblemType:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not is_numeric_dtype(cells) or is_bool_dtype(cells):
        return "classification"
    whole = (cells % 1 == 0).all()
    return "classification" if whole and cells.nunique() <= MAX_INTEGER_CLASSES else "regression"


def _regression(
    identity: ModelSpec,
    cells: "pd.Series",
    origin: str,
    notes: DataNotes,
    labels: Sequence[str] | None,
) -> tuple[ModelSpec, np.ndarray]:
    if labels is not None:
        raise InvalidInputError(f"labels name classes, and {origin} holds quantities")
    target = Target(name=str(cells.name), meaning="a quantity")
    identity = replace(identity, task="table-regression", labels=(), target=target)
    return identity, _quantities(cells, origin)


def _quantities(cells: "pd.Series", origin: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        wrong = cells[numbers.isna()].iloc[0]
        raise DataError(f"{origin}: expected numbers in {cells.name!r}; received {wrong!r}")
    return numbers.to_numpy("float64")


def _classification(
    identity: ModelSpec,
    cells: "pd.Series",
    origin: str,
    notes: DataNotes,
    labels: Sequence[str] | None,
) -> tuple[ModelSpec, np.ndarray]:
    answers = list(cells)
    given = RawExamples(answers, answers, origin, notes=notes)
    found = classes.infer_classes(given, asked=labels, known=identity.labels)
    target = Target(name=str(cells.name), meaning="a class")
    identity = replace(identity, task="table-classification", labels=found.labels, target=target)
    return identity, found.targets
