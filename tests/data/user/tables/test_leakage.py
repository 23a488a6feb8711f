"""Columns that identify rows or give the target away are told; those of real tables are not."""

import warnings

import numpy as np
import pandas as pd
import pytest

from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_table
from keras_fm.errors import DataWarning

COUNT = 200
RANDOM = np.random.default_rng(0)
SIZE = RANDOM.normal(size=COUNT)
PRICE = 100 * np.exp(SIZE / 2 + RANDOM.normal(size=COUNT))
KIND = RANDOM.choice(["bag", "boot", "coat"], COUNT)
IS_DEAR = np.where(PRICE > 120, "dear", "cheap")
FRAME = pd.DataFrame({"size": SIZE, "age": RANDOM.integers(0, 90, COUNT)})
CODES = {"bag": 7.0, "boot": 3.0, "coat": 5.0}


def warnings_of(frame, target, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = load_table(UserData(frame, target=target, **options))
    assert all(warning.category is DataWarning for warning in caught)
    messages = [str(warning.message) for warning in caught]
    assert set(messages) <= set(table.notes)
    return messages


def mostly(values, others, share=0.99):
    """Return values of which a few rows have another one."""
    keep = np.random.default_rng(1).random(len(values)) < share
    return np.where(keep, values, others)


GIVEAWAYS = {
    "another unit": (PRICE, PRICE * 0.92),
    "another unit, rounded": (PRICE, (PRICE * 0.92).round()),
    "its negative": (PRICE, 5 - PRICE),
    "its logarithm": (PRICE, np.log(PRICE)),
    "its logarithm, partly missing": (PRICE, mostly(np.log(PRICE), np.nan, 0.7)),
    "levels of a number": (np.tile([1.5, 2.5, 4.0, *range(10, 18)], 19)[:COUNT],
                           np.tile(["a", "b", "c", *"defghijk"], 19)[:COUNT]),
    "names of classes": (KIND, np.char.upper(KIND)),
    "codes of classes": (KIND, [CODES[kind] for kind in KIND]),
    "several codes a class": (KIND, np.char.add(KIND, np.tile(["1", "2"], COUNT // 2))),
    "nearly the classes": (IS_DEAR, np.concatenate([["no"], np.char.upper(IS_DEAR[1:])])),
    "a number with a threshold": (IS_DEAR, PRICE),
    "with thresholds between three": (KIND, [CODES[kind] for kind in KIND]
                                      + np.random.default_rng(2).uniform(size=COUNT)),
    "what is missing": (IS_DEAR, np.where(PRICE > 120, SIZE[::-1], np.nan)),
    "truth values": (PRICE > 120, PRICE > 120),
}  # fmt: skip


@pytest.mark.parametrize("kind", GIVEAWAYS)
def test_a_column_that_gives_the_target_away_is_told(kind):
    target, column = GIVEAWAYS[kind]
    (message,) = warnings_of(FRAME.assign(column=column, what=target), "what")
    assert message.startswith("column 'column' gives the target away: it alone determines 'what'")


NO_GIVEAWAYS = {
    "a close relation": (PRICE, PRICE * (1 + RANDOM.normal(size=COUNT) / 20)),
    "a good predictor": (IS_DEAR, mostly(IS_DEAR, "?", 0.9)),
    "categories that tell most": (KIND, mostly(KIND, "coat", 0.9)),
    "a trend in time": (np.cumsum(RANDOM.random(COUNT)), np.arange(COUNT) / 4),
    "different words": (KIND, [f"text {number}" for number in range(COUNT)]),
    "a class that is hardly there": (["yes"] * 5 + ["no"] * (COUNT - 5), np.arange(COUNT) < 5),
    "noise": (KIND, RANDOM.normal(size=COUNT)),
}


@pytest.mark.parametrize("kind", NO_GIVEAWAYS)
def test_a_column_that_only_helps_is_not_told(kind):
    target, column = NO_GIVEAWAYS[kind]
    assert warnings_of(FRAME.assign(column=column, what=target), "what") == []


def test_the_only_column_may_determine_the_target():
    assert warnings_of(pd.DataFrame({"x": SIZE, "y": 2 * SIZE + 1}), "y") == []


SHUFFLED = RANDOM.permutation(3 * COUNT)[:COUNT]

UNIQUE_IDS = {
    "PassengerId": SHUFFLED,
    "id_of_order": SHUFFLED,
    "uuid": SHUFFLED,
    "id": np.arange(COUNT),
    "GUID": [f"{number:08x}" for number in range(COUNT)],
}


@pytest.mark.parametrize("name", UNIQUE_IDS)
def test_an_id_of_which_each_row_has_another_is_left_out(name):
    frame = FRAME.assign(**{name: UNIQUE_IDS[name], "price": PRICE})
    (message,) = warnings_of(frame, "price")
    assert message == (
        f"column {name!r} was left out: it is an id by its name, with a different value in each of "
        "200 rows: it says nothing of new rows; rename it to keep it"
    )
    with pytest.warns(DataWarning):
        table = load_table(UserData(frame, target="price"))
    assert [column.name for column in table.columns] == ["size", "age"]
    assert table.notes[0] == f"columns: 2 numbers, 1 left out ({name}: an id)"


IDS = {
    "customer_id": RANDOM.integers(0, 60, COUNT),
    "ID": [f"c{number // 2:03}" for number in range(COUNT)],
    "Invoice No": SHUFFLED,
    "row": 2 * SHUFFLED + 5,
}


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_told(name):
    (message,) = warnings_of(FRAME.assign(**{name: IDS[name], "price": PRICE}), "price")
    assert message.startswith(f"column {name!r} is an id by its name, with ")
    assert message.endswith("different values in 200 rows: leave it out, for it says nothing of "
                            "new rows")  # fmt: skip


def test_numbers_of_rows_of_which_some_are_gone_are_told():
    numbers = np.flatnonzero(np.random.default_rng(0).random(2 * COUNT) < 0.7)[:COUNT]
    (message,) = warnings_of(FRAME.assign(n=numbers, price=PRICE), "price")
    assert message.startswith(f"column 'n' holds ascending whole numbers, {numbers[0]} to ")


NO_IDS = {
    "identity": np.random.default_rng(3).permutation(3 * COUNT)[:COUNT],
    "grid": SHUFFLED,
    "area": SHUFFLED,
    "genre_id": RANDOM.integers(0, 8, COUNT),
    "number_of_rooms": RANDOM.integers(1, 9, COUNT),
    "code": RANDOM.integers(1, 9, COUNT),
    "year": np.sort(RANDOM.integers(1900, 2020, COUNT)),
}


@pytest.mark.parametrize("name", NO_IDS)
def test_other_numbers_are_no_ids(name):
    assert warnings_of(FRAME.assign(**{name: NO_IDS[name], "price": PRICE}), "price") == []


@pytest.mark.parametrize(
    "target", ["price", "carat", "x", "y", "z", "depth", "cut", "color", "clarity"]
)
def test_no_column_of_the_diamonds_is_told(target):
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame(sample.inputs).assign(price=sample.targets)
    assert warnings_of(frame, target) == []


@pytest.mark.full_data
@pytest.mark.parametrize("target", ["price", "carat", "x", "cut"])
def test_no_column_of_all_diamonds_is_told(target):
    examples = datasets.load("diamonds", "train[:20000]")
    frame = pd.DataFrame(examples.inputs).assign(price=examples.targets)
    assert warnings_of(frame, target) == []
