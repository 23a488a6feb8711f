"""Columns of strings: categories or free text."""

from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import number_columns
from keras_fm.data.user.tables.column_reports import ORDERED, LeftOut
from keras_fm.formatting import choose_form
from keras_fm.preprocessing.tables.cells import as_text
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# A rarer category is unknown to the model, as one that first occurs at inference is.
MIN_CATEGORY_COUNT = 2
MAX_CATEGORIES = 1000
_MIN_TEXT_WORDS = 4  # of free text, on average
_MIN_TEXTS = 20  # different ones
_MAX_RECURRING_SHARE = 0.5  # of the cells of free text


def infer_categories(
    cells: "pd.Series", notes: DataNotes, text_buckets: int = 0
) -> Input | LeftOut:
    """Return the input of a column of categories or texts, or say why it is left out.

    Categories are sorted, but those of an ordered column of pandas keep its order.

    Args:
        cells: The column.
        notes: Of the table; a sentence on rare categories is added.
        text_buckets: That the words of free text are hashed to; 0 leaves it out.
    """
    import pandas as pd

    kind = cells.dtype.kind
    if kind in "mc":
        values = {"m": "durations", "c": "complex numbers"}[kind]
        advice = "extract what matters, such as the hours, as a column of numbers"
        return LeftOut(values, f"it holds {values}; {advice}")
    texts = number_columns.to_texts(cells.dropna())
    if texts.isna().any():
        value_type = type(cells.dropna()[texts.isna()].iloc[0]).__name__
        reason = f"it holds cells of the type {value_type}; expected numbers or strings"
        return LeftOut(f"cells of the type {value_type}", reason)
    counts = texts[texts != ""].value_counts()
    if len(counts) < 2:
        return LeftOut("a single value", "it has a single value")
    if (words := _words_of_free_text(counts)) is not None:
        return _free_text(cells.name, len(counts), words, text_buckets)
    categories = counts[counts >= MIN_CATEGORY_COUNT].index[:MAX_CATEGORIES]
    if not len(categories):
        reason = "nearly every row has a different value"
        return LeftOut("different values", reason)
    if len(categories) < 2:
        reason = f"only one value, {categories[0]!r}, occurs twice or more"
        return LeftOut("one value that recurs", reason)
    _note_rare(cells.name, counts, len(categories), notes)
    description = f"one of {len(categories)} categories"
    names = sorted(categories)
    if isinstance(cells.dtype, pd.CategoricalDtype) and cells.dtype.ordered:
        description += f", {ORDERED}"
        order = dict.fromkeys(map(as_text, cells.cat.categories))
        names = [name for name in order if name in {*categories}]
    return Input(
        name=cells.name, dtype="string", shape=[], description=description, categories=names
    )


def _words_of_free_text(counts: "pd.Series") -> float | None:
    """Return the words of a text on average; None where a column is none of free text."""
    num_recurring = counts[counts > 1].sum()
    if len(counts) < _MIN_TEXTS or num_recurring >= _MAX_RECURRING_SHARE * counts.sum():
        return None
    words = float(np.mean([len(text.split()) for text in counts.index]))
    return words if words >= _MIN_TEXT_WORDS else None


def _free_text(name: str, num_texts: int, words: float, text_buckets: int) -> Input | LeftOut:
    """Return the input of a column of texts whose words are hashed, or why it is left out."""
    kind = "free text"
    if text_buckets:
        return Input(
            name=name, dtype="string", shape=[], description=kind, hash_buckets=text_buckets
        )
    reason = (
        f"it is free text, {num_texts:,} different ones of {words:.0f} words on average; "
        "text_buckets=256 (--set text_buckets=256) makes features of its words, and if the target "
        f"is one of classes, a model of texts learns from it: fine_tune('lstm', ..., text={name!r})"
    )
    return LeftOut(kind, reason, warns=True)


def _note_rare(name: str, counts: "pd.Series", num_categories: int, notes: DataNotes) -> None:
    """Say how many cells are of no category of their own."""
    num_rare = int(counts[num_categories:].sum())
    if num_rare:
        count = len(counts) - num_categories
        others = choose_form(count, "category that is", "categories that are")
        notes.append(
            f"column {name!r}: {num_rare:,} of {counts.sum():,} cells are of {count:,} {others} "
            f"too rare, and count as unknown, as new ones will; {num_categories:,} categories are "
            "known"
        )
