"""Columns of numbers with a currency or percent sign."""

from typing import TYPE_CHECKING

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables.parsed_columns import (
    MAX_SAMPLE,
    MIN_SHARE,
    parsed_input,
    strings_to_parse,
)
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables.amounts import CURRENCIES, PERCENT, AmountParser
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd


def infer_amounts(cells: "pd.Series", notes: DataNotes) -> Input | None:
    """Return the input of a column of numbers nearly all of which have the same sign, else None.

    Numbers with decimal commas are none, nor are those whose point may be one of thousands.

    Args:
        cells: Strings.
        notes: Of the table; a sentence is added.
    """
    distinct = strings_to_parse(cells)
    if distinct is None:
        return None
    strings = tf.constant(distinct.strings)
    sample = distinct[:MAX_SAMPLE]
    for unit in (PERCENT, *CURRENCIES):
        parser = AmountParser(unit)
        if sample.share(parser.have_sign(tf.constant(sample.strings)).numpy()) < 0.5:
            continue
        have_sign = parser.have_sign(strings).numpy()
        if distinct.share(have_sign) < MIN_SHARE:
            continue
        numbers = parser.encode(strings).numpy().repeat(distinct.counts)
        example = distinct.strings[have_sign.argmax()]
        number = float(parser.encode(tf.constant([example]))[0])
        notes.append(f"column {cells.name!r} is numeric: {str(example)!r} is read as {number:g}")
        return parsed_input(str(cells.name), parser.expected, numbers, unit)
    return None
