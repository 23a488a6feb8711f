"""Dates, times, amounts, texts and categories of a user's own are recognized and told."""

import contextlib
import datetime
import warnings

import msgspec
import numpy as np
import pandas as pd
import pytest

from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables import category_columns
from keras_fm.data.user.tables.loading import load_eval_table, load_table
from keras_fm.errors import DataWarning
from keras_fm.registry.dates import Dates
from keras_fm.registry.entry import Input

COUNT = 120
RANDOM = np.random.default_rng(0)
DAYS = pd.Series(pd.date_range("2014-05-02", "2015-07-01", periods=COUNT)).sample(
    frac=1, random_state=0, ignore_index=True
)
DAY_PARTS = ["elapsed", "month", "day", "weekday"]
TARGETS = RANDOM.normal(size=COUNT)


def load(cells, **options):
    """Return the table of a column `x` beside a number, and the warnings."""
    frame = pd.DataFrame({"x": cells, "size": TARGETS[::-1], "y": TARGETS})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        table = load_table(UserData(frame, target="y"), **options)
    return table, [str(warning.message) for warning in caught]


DATE_COLUMNS = {
    "ISO 8601": (DAYS.dt.strftime("%Y-%m-%d"), {}),
    "month first": (DAYS.dt.strftime("%m/%d/%Y"), {"day_first": False}),
    "day first": (DAYS.dt.strftime("%d.%m.%Y"), {"day_first": True}),
    "names": (DAYS.dt.strftime("%d %b %Y"), {}),
    "numbers": (DAYS.dt.strftime("%Y%m%d").astype(int), {}),
    "numbers, missing": (DAYS.dt.strftime("%Y%m%d").astype(float).where(DAYS.index > 3), {}),
    "dates of Python": (DAYS.dt.date, {}),
    "pandas' own": (DAYS, {"parts": [*DAY_PARTS, "hour"]}),
    "pandas' own, missing": (DAYS.where(DAYS.index > 3), {"parts": [*DAY_PARTS, "hour"]}),
    "time zone": (DAYS.dt.tz_localize("UTC"), {"parts": [*DAY_PARTS, "hour"], "utc": True}),
    "numpy's": (DAYS.to_numpy("datetime64[D]"), {}),
    "categories": (DAYS.dt.strftime("%Y-%m-%d").astype("category"), {}),
    "months": (DAYS.dt.to_period("M"), {"parts": ["elapsed", "month"], "origin": "2014-05-01"}),
    "years": (DAYS.dt.strftime("%Y-01-01"), {"parts": ["elapsed"], "origin": "2014-01-01"}),
    "times": (DAYS.dt.strftime("%H:%M"), {"parts": ["elapsed", "hour"], "origin": None}),
    "times of Python": (DAYS.dt.time, {"parts": ["elapsed", "hour"], "origin": None}),
}


@pytest.mark.parametrize("kind", DATE_COLUMNS)
def test_dates_of_any_kind_are_one_column(kind):
    cells, fields = DATE_COLUMNS[kind]
    table, messages = load(cells)
    column = table.columns[0]
    assert (column.name, column.dtype, column.shape) == ("x", "string", [])
    if "missing" not in kind:
        expected = Dates(**{"parts": DAY_PARTS, "origin": "2014-05-02", **fields})
        assert column.dates == expected
    assert not messages
    word = "time of day" if column.dates.origin is None else "date"
    assert table.notes[0].startswith(f"columns: 1 number, 1 {word} (x: ")
    assert table.examples.inputs["x"].dtype.kind == "U"


LENGTHS = pd.Series(RANDOM.integers(60, 500_000, COUNT))
DURATION_COLUMNS = {
    "clock": [f"{n // 3600 + 24}:{n // 60 % 60:02}:{n % 60:02}" for n in LENGTHS],
    "words": [f"{n // 3600}h {n // 60 % 60}min" for n in LENGTHS],
    "days": [f"{n // 86_400} days" for n in LENGTHS],
    "a few words": ["soon", "?", *(f"{n} s" for n in LENGTHS[2:])],
    "pandas' own": pd.to_timedelta(LENGTHS, unit="s"),
    "Python's": [datetime.timedelta(seconds=int(n)) for n in LENGTHS],
}


@pytest.mark.parametrize("kind", DURATION_COLUMNS)
def test_durations_of_any_kind_are_one_column(kind):
    table, messages = load(DURATION_COLUMNS[kind])
    column = table.columns[0]
    assert (column.name, column.dtype, column.unit) == ("x", "string", "seconds")
    assert len(messages) == ("a few" in kind)
    assert table.notes[0] == "columns: 1 number, 1 duration"
    assert any("is one of durations: " in note for note in table.notes)


@pytest.mark.parametrize("cells", [["5 m", "7 m"], ["5", "7 h"], ["16:9", "4:3"], ["red", "1 h"]])
def test_other_columns_are_no_durations(cells):
    table, _ = load(RANDOM.choice(cells, COUNT))
    assert [column.unit for column in table.columns] == ["", ""]


OTHERS = {
    "numbers": np.arange(COUNT) * 1000 + 20_240_000,
    "years": RANDOM.integers(1990, 2024, COUNT),
    "codes": [f"{n:04}-{n % 30 + 10}" for n in range(COUNT)],
    "words": RANDOM.choice(["May", "June"], COUNT),
    "scores": [f"{n % 7}:{n % 5}" for n in range(COUNT)],
    "few dates": ["2024-05-31"] * 20 + ["soon", "later"] * 50,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_columns_are_no_dates(kind):
    assert load(OTHERS[kind])[0].columns[0].dates is None


def test_a_single_date_is_left_out():
    for cells in (["2024-05-31"] * COUNT, [pd.Timestamp("2024-05-31"), pd.NaT] * (COUNT // 2)):
        table, _ = load(cells)
        assert [column.name for column in table.columns] == ["size"]
        assert table.notes[0] == "columns: 1 number, 1 left out (x: a single value)"


def test_an_order_of_days_and_months_that_is_assumed_is_told():
    cells = [f"{n % 12 + 1:02}/{n % 11 + 1:02}/2024" for n in range(COUNT)]
    table, (message,) = load(cells)
    assert table.columns[0].dates.day_first is False
    assert "which are read with the month first, though the day could be" in message
    dots = [cell.replace("/", ".") for cell in cells]
    table, (message,) = load(dots)
    assert table.columns[0].dates.day_first is True
    assert message.startswith("column 'x' holds dates such as '")
    assert message.endswith("pandas.to_datetime(..., dayfirst=False)")


def test_years_of_two_digits_are_told():
    table, (message,) = load(DAYS.dt.strftime("%m/%d/%y"))
    assert [column.dates for column in table.columns] == [None]
    assert message.endswith(
        ": if they are dates, write the years with four digits; those of two digits are not read"
    )


def test_times_without_a_time_zone_among_others_are_told():
    cells = DAYS.dt.strftime("%Y-%m-%d %H:%M") + np.where(DAYS.index > 5, "+02:00", "")
    table, (message,) = load(cells)
    assert table.columns[0].dates.utc
    assert message == (
        "column 'x' holds times with a time zone, and 6 without one, which are taken as UTC"
    )


def test_a_few_words_among_dates_count_as_missing_in_trainings_and_evaluations():
    cells = DAYS.dt.strftime("%Y-%m-%d").where(DAYS.index > 2, "soon")
    table, (message,) = load(cells)
    assert message == (
        "column 'x': 3 of 120 cells, such as 'soon', count as missing: expected a date such as "
        "2024-05-31"
    )
    frame = pd.DataFrame({"x": cells, "size": TARGETS, "y": TARGETS})
    with pytest.warns(DataWarning, match="3 of 120 cells, such as 'soon', count as missing"):
        examples = load_eval_table(UserData(frame), columns=table.columns, target="y")
    for inputs in (table.examples.inputs, examples.inputs):
        assert (inputs["x"] == "").sum() == 3


def test_the_columns_of_a_model_are_kept_where_they_can_be_read():
    known, _ = load(DAYS.dt.strftime("%Y-%m-%d"))
    later = DAYS.dt.strftime("%d %b 2030")
    assert load(later, known_columns=known.columns)[0].columns == known.columns
    other = RANDOM.choice(["a", "b"], COUNT)
    assert load(other, known_columns=known.columns)[0].columns[0].dates is None
    # A run of before dates were read has them as categories.
    old = Input(name="x", dtype="string", shape=[], description="", categories=["2014-05-02"])
    columns = (old, known.columns[1])
    assert load(DAYS.dt.strftime("%Y-%m-%d"), known_columns=columns)[0].columns == columns


@pytest.mark.parametrize(
    ("write", "unit", "summary"),
    [
        (lambda x: f"${x:,.2f}", "$", "1 amount (x: $)"),
        (lambda x: f"{x:,.2f} €", "€", "1 amount (x: €)"),
        (lambda x: f"USD {x:.2f}", "USD", "1 amount (x: USD)"),
        (lambda x: f"{x:.1f} %", "%", "1 percentage"),
        (lambda x: f"{x:.0f}%", "%", "1 percentage"),
    ],
)
def test_numbers_with_a_sign_are_numbers(write, unit, summary):
    numbers = RANDOM.uniform(100, 5000, COUNT)
    cells = [*map(write, numbers[:-2]), "n/a", None]
    table, messages = load(cells)
    assert (table.columns[0].unit, table.columns[0].categories) == (unit, [])
    assert table.notes[0] == f"columns: 1 number, {summary}"
    assert "column 'x' is numeric: " in table.notes[1]
    assert not messages
    assert set(table.examples.inputs["x"]) == {*cells[:-1], ""}


@pytest.mark.parametrize(
    "write",
    [
        lambda x: f"{x:.2f}".replace(".", ",") + " €",
        lambda x: f"{x:.0f} % {x:.0f}",
        lambda x: f"{'$€'[int(x) % 2]}{x:.2f}",
        lambda x: f"{x / 1000:.3f} €",
        lambda x: f"{x:.0f} %" if x % 2 < 1 else f"{x / 100:.2f}",
    ],
    ids=["decimal commas", "words", "two currencies", "thousands?", "percentages and shares"],
)
def test_numbers_that_can_mean_two_things_are_none(write):
    table, _ = load([write(x) for x in RANDOM.uniform(100, 5000, COUNT)])
    assert not any(column.unit for column in table.columns)


WORDS = [*"abcdefghijklmnop"]


def test_free_text_is_left_out_and_told():
    texts = [" ".join(RANDOM.choice(WORDS, 7)) for _ in range(COUNT)]
    texts[:6] = texts[6:12]  # some texts recur
    table, (message,) = load(texts)
    assert [column.name for column in table.columns] == ["size"]
    assert message == (
        "column 'x' was left out: it is free text, 114 different ones of 7 words on average; "
        "text_buckets=256 (--set text_buckets=256) makes features of its words, and if the target "
        "is one of classes, a model of texts learns from it: fine_tune('lstm', ..., text='x')"
    )
    assert table.notes[0] == "columns: 1 number, 1 left out (x: free text)"


def test_sentences_that_recur_are_categories():
    answers = ["I do not agree at all", "I agree with all of it", "I do not know what it is"]
    assert load(RANDOM.choice(answers, COUNT))[0].columns[0].categories == sorted(answers)


def test_rare_categories_share_the_index_of_unknown_ones_and_are_told(monkeypatch):
    monkeypatch.setattr(category_columns, "MAX_CATEGORIES", 2)
    cells = ["a"] * 60 + ["b"] * 40 + ["c"] * 17 + ["d", "e", "f"]
    table, _ = load(cells)
    assert table.columns[0].categories == ["a", "b"]
    assert table.notes[1] == (
        "column 'x': 20 of 120 cells are of 4 categories that are too rare, and count as unknown, "
        "as new ones will; 2 categories are known"
    )


@pytest.mark.parametrize(("ordered", "word"), [(True, "1 ordered category"), (False, "1 category")])
def test_ordered_categories_keep_their_order(ordered, word):
    order = ["small", "medium", "large", "huge"]
    cells = pd.Categorical(RANDOM.choice(order[:3], COUNT), categories=order, ordered=ordered)
    table, _ = load(cells)
    assert table.columns[0].categories == (order[:3] if ordered else sorted(order[:3]))
    assert table.notes[0] == f"columns: 1 number, {word}"


@pytest.mark.parametrize("cells", [TARGETS > 0, pd.array([True, False] * 60, dtype="boolean")])
def test_truth_values_are_numbers_and_told(cells):
    table, _ = load(cells)
    assert table.columns[0].dtype == "float32"
    assert table.notes[0] == "columns: 1 number, 1 boolean"


def test_row_numbers_are_told_with_what_was_left_out(tmp_path):
    frame = pd.DataFrame({"size": TARGETS, "kind": RANDOM.choice([*"ab"], COUNT), "y": TARGETS})
    frame.to_csv(tmp_path / "t.csv")
    with contextlib.suppress(UserWarning), pytest.warns(DataWarning):
        table = load_table(UserData(tmp_path / "t.csv", target="y"))
    assert table.notes[0] == ("columns: 1 number, 1 category, 1 left out (Unnamed: 0: row numbers)")


def test_inputs_of_before_are_read():
    old = {"name": "x", "dtype": "string", "shape": [], "description": "", "categories": ["a"]}
    column = msgspec.convert(old, Input)
    assert (column.dates, column.unit) == (None, "")
    new = Input(**old, dates=Dates(parts=DAY_PARTS, origin="2014-05-02", day_first=True))
    assert msgspec.convert(msgspec.to_builtins(new), Input) == new
