"""What was made of a table's columns, in a sentence."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_fm.formatting import format_count
from keras_fm.preprocessing.tables.amounts import PERCENT
from keras_fm.preprocessing.tables.durations import UNIT
from keras_fm.registry.entry import Input

BEGINNING = "columns: "  # of the sentence
BOOLEAN = "a truth value, 0 or 1"  # descriptions of inputs
ORDERED = "in their order"
_MAX_NAMES = 5
# Singular and plural of a kind, in the order of the sentence.
_KINDS = {
    "number": "numbers",
    "amount": "amounts",
    "percentage": "percentages",
    "duration": "durations",
    "boolean": "booleans",
    "category": "categories",
    "ordered category": "ordered categories",
    "date": "dates",
    "time of day": "times of day",
    "text": "texts",
}


@dataclass(frozen=True)
class LeftOut:
    """Why a column is no input of a model.

    Attributes:
        kind: What it is, in short.
        reason: A clause behind "column 'x' was left out: ".
        warns: Whether the user is warned: the column may have told much.
    """

    kind: str
    reason: str
    warns: bool = False


def describe_columns(columns: Sequence[Input], left_out: Mapping[str, str]) -> str:
    """Return the kinds of a model's columns, with the parts of dates, and what was left out.

    Args:
        columns: The model's.
        left_out: From the name of another column to what it is, in short.
    """
    by_kind = defaultdict(list)
    for column in columns:
        by_kind[_kind(column)].append(column)
    clauses = [
        format_count(len(by_kind[singular]), singular, plural) + _parts(by_kind[singular])
        for singular, plural in _KINDS.items()
        if singular in by_kind
    ]
    if left_out:
        names = [f"{name}: {kind}" for name, kind in left_out.items()]
        clauses.append(f"{len(left_out):,} left out ({_some(names)})")
    return BEGINNING + ", ".join(clauses)


def _kind(column: Input) -> str:
    if column.dates is not None:
        return "time of day" if column.dates.origin is None else "date"
    if column.unit == UNIT:
        return "duration"
    if column.unit:
        return "percentage" if column.unit == PERCENT else "amount"
    if column.hash_buckets is not None:
        return "text"
    if column.dtype == "string":
        return "ordered category" if column.description.endswith(ORDERED) else "category"
    return "boolean" if column.description == BOOLEAN else "number"


def _parts(columns: Sequence[Input]) -> str:
    """Return what of dates and texts enters the model, and currencies; else nothing."""
    texts = [f"{x.name}: {x.dates.describe_parts()}" for x in columns if x.dates is not None]
    texts += [f"{x.name}: {x.unit}" for x in columns if x.unit not in ("", PERCENT, UNIT)]
    texts += [
        f"{x.name}: words hashed to {format_count(x.hash_buckets, 'bucket')}"
        for x in columns
        if x.hash_buckets is not None
    ]
    return f" ({_some(texts)})" if texts else ""


def _some(texts: Sequence[str]) -> str:
    more = [f"and {len(texts) - _MAX_NAMES:,} more"] * (len(texts) > _MAX_NAMES)
    return "; ".join([*texts[:_MAX_NAMES], *more])
