"""What a table's columns become: names, row numbers, categories, targets; and what is told."""

import contextlib
import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_eval_table, load_table
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.registry.entry import Input

X = np.random.default_rng(0).normal(size=60)
KINDS = ["a", "b"] * 30
Y = 2 * X + np.random.default_rng(1).normal(size=60) / 10  # no column gives it away
FRAME = pd.DataFrame({"x": X, "kind": KINDS, "y": Y})


def load(data, target="y", **options):
    """Load a table to train on; return it, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = load_table(UserData(data, target=target, **options))
    assert {warning.category for warning in caught} <= {DataWarning}
    return table, [str(warning.message) for warning in caught]


def names_of(table):
    return [column.name for column in table.columns]


def as_csv(frame, tmp_path, **options):
    frame.to_csv(tmp_path / "t.csv", **options)
    return tmp_path / "t.csv"


@pytest.mark.parametrize("shuffled", [False, True, "sampled", "sorted"])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("kind", ["csv", "frame", "pair"])
def test_row_numbers_without_a_name_are_left_out(tmp_path, shuffled, twice, kind):
    frame = {
        False: FRAME,
        True: FRAME.sample(frac=1, random_state=0),
        "sampled": FRAME.sample(frac=0.6, random_state=0),
        "sorted": FRAME.sort_values("kind"),
    }[shuffled]
    file = as_csv(frame, tmp_path)
    if twice:
        as_csv(pd.read_csv(file), tmp_path)
    data, target = file, "y"
    if kind != "csv":
        data = pd.read_csv(file)
    if kind == "pair":
        data, target = (data.drop(columns="y"), data["y"]), None
    table, messages = load(data, target)
    assert names_of(table) == ["x", "kind"]
    assert len(messages) == 1 + twice
    assert all("was left out: it has no name and numbers the rows" in line for line in messages)
    assert messages[-1] in table.notes


def test_a_column_without_a_name_that_does_not_number_the_rows_stays(tmp_path):
    for cells in (X, KINDS, [1, 2, 3] * 20):
        file = as_csv(FRAME.set_axis(cells), tmp_path)
        table, messages = load(file)
        assert names_of(table) == ["Unnamed: 0", "x", "kind"]
        assert not messages


def test_row_numbers_stay_where_they_are_the_target_or_of_the_model(tmp_path):
    file = as_csv(FRAME, tmp_path)
    assert load(file, "Unnamed: 0")[0].target.name == "Unnamed: 0"
    known = [Input(name="Unnamed: 0", dtype="float32", shape=[], description="")]
    source = UserData(file, target="y")
    assert names_of(load_table(source, known_columns=known)) == ["Unnamed: 0"]
    assert "Unnamed: 0" in load_eval_table(source, columns=known, target="y").inputs


@pytest.mark.parametrize(
    "numbers", [range(60), range(100, 160), np.random.default_rng(0).permutation(60)]
)
def test_consecutive_whole_numbers_are_told_and_stay(tmp_path, numbers):
    for data in (frame := FRAME.assign(number=numbers), as_csv(frame, tmp_path, index=False)):
        table, messages = load(data)
        assert names_of(table) == ["x", "kind", "number"]
        assert messages == [
            f"column 'number' holds consecutive whole numbers, {min(numbers)} to {max(numbers)}: "
            "leave it out if it numbers the rows"
        ]


@pytest.mark.parametrize("target", [2, "2"])
def test_columns_can_be_named_by_numbers(target):
    frame = FRAME.set_axis([0, 1, 2], axis="columns")
    table, _ = load(frame, target)
    assert (names_of(table), table.target.name) == (["0", "1"], "2")
    table, _ = load(FRAME.set_axis([2, 1, 0], axis="columns"), 0)
    assert (names_of(table), table.target.name) == (["2", "1"], "0")


def test_columns_of_two_levels_are_named():
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")])
    with pytest.raises(DataError, match=r"columns of 2 levels, such as \('a', 'x'\); join them"):
        load(FRAME.set_axis(columns, axis="columns"))


def test_outer_blanks_of_names_and_cells_do_not_count(tmp_path):
    text = "x, kind , y\n" + "".join(
        f"{n}.5, {'ab'[n % 2]} , {n * 7 % 60 * 1.5}\n" for n in range(60)
    )
    (tmp_path / "t.csv").write_text(text)
    for target in ("y", " y"):
        table, messages = load(tmp_path / "t.csv", target)
        assert names_of(table) == ["x", "kind"]
        assert table.columns[1].categories == ["a", "b"]
        assert set(table.examples.inputs["kind"]) == {"a", "b"}
        assert not messages
    frame = pd.DataFrame({" x": X, "kind ": [" a", "b "] * 30, "y": X})
    table, _ = load(frame)
    assert (names_of(table), table.columns[1].categories) == (["x", "kind"], ["a", "b"])


@pytest.mark.parametrize("word", ["None", "NA", "N/A", "null", "nan", "unknown"])
def test_words_for_missing_values_stay_among_words(tmp_path, word):
    frame = FRAME.assign(kind=[word, "b", "c"] * 20, y=sorted([word, "no", "yes"] * 20))
    table, messages = load(as_csv(frame, tmp_path, index=False))
    assert table.columns[1].categories == sorted([word, "b", "c"])
    assert table.class_names == tuple(sorted([word, "no", "yes"]))
    assert not messages
    examples = load_eval_table(
        UserData(tmp_path / "t.csv"),
        columns=table.columns,
        target="y",
        class_names=table.class_names,
    )
    assert np.bincount(examples.targets).tolist() == [20, 20, 20]
    assert set(examples.inputs["kind"]) == {word, "b", "c"}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [f"{x:.4f}".replace(".", ",") for x in X],
            "was left out: the numbers have decimal commas",
        ),
        (
            [f"{x:.0f} km" for x in X],
            "is one of categories, not of numbers: the numbers have a unit",
        ),
        (
            [*map(str, X[:42]), *["lo", "hi"] * 9],
            "is one of categories, not of numbers: 42 of 60 cells are",
        ),
        (["Total", *map(str, X[1:])], "is numeric: 59 of 60 cells are numbers, and 'Total' counts"),
    ],
)
def test_numbers_that_are_not_seen_are_told(tmp_path, cells, message):
    for data in (frame := FRAME.assign(x=cells), as_csv(frame, tmp_path, index=False)):
        table, messages = load(data)
        (sentence,) = messages
        assert sentence.startswith(f"column 'x' {message}")
        assert sentence in table.notes


def test_an_evaluation_reads_words_among_numbers_as_the_training_does(tmp_path):
    frame = FRAME.assign(x=["Total", *map(str, X[1:])])
    columns = load(frame)[0].columns
    for data in (frame, as_csv(frame, tmp_path, index=False)):
        with pytest.warns(DataWarning, match="59 of 60 cells are numbers, and 'Total' counts"):
            examples = load_eval_table(UserData(data), columns=columns, target="y")
        assert int(np.isnan(examples.inputs["x"]).sum()) == 1
    few = frame[:5]
    with pytest.raises(InvalidInputError, match=r"column 'x', row 0: .* 'Total'"):
        load_eval_table(UserData(few), columns=columns, target="y")


@pytest.mark.parametrize(
    "write",
    [lambda x: f"{x:.2f}".replace(".", ","), lambda x: f"${x:.2f}", lambda x: f"{x:.0f} %"],
)
def test_a_target_of_numbers_that_are_not_read_is_an_error(write):
    frame = FRAME.assign(y=[*map(write, X)])
    for problem_type in (None, "regression"):
        with pytest.raises(DataError, match=r"in 'y'; the numbers have .*problem_type='classifica"):
            load(frame, problem_type=problem_type)
    columns = load(FRAME)[0].columns
    with pytest.raises(DataError, match=r"expected numbers in 'y'; received .*: the numbers have"):
        load_eval_table(UserData(frame), columns=columns, target="y")
    frame = frame.assign(y=["5 %", "10 %"] * 30)
    assert load(frame, problem_type="classification")[0].class_names == ("10 %", "5 %")
    assert load(frame, class_names=["5 %", "10 %"])[0].class_names == ("5 %", "10 %")


@pytest.mark.parametrize(
    "targets",
    [
        [decimal.Decimal(str(x)) for x in X],
        pd.Series(X, dtype=object),
        pd.Series(X, dtype="Float64"),
        [*map(str, X)],
        ["Total", *map(str, X[1:])],
    ],
    ids=["decimal", "object", "nullable", "strings", "a-word"],
)
def test_a_target_of_numbers_of_any_type_is_a_regression(targets):
    table, _ = load(FRAME.assign(y=targets))
    assert table.problem_type == "regression"
    assert len(table.examples) == 60 - (targets[0] == "Total")


@pytest.mark.parametrize("word", ["many", "unknown"])
def test_a_word_among_numbers_can_be_a_class(word):
    frame = FRAME.assign(y=[word, *map(str, [0, 1, 2] * 19), "0", "1"])
    class_names = ("0", "1", "2", word)
    table, _ = load(frame, class_names=class_names)
    assert (table.class_names, len(table.examples)) == (class_names, 60)
    with pytest.warns(DataWarning, match="the labels are mixed: 59 numbers and 1 word,"):
        examples = load_eval_table(
            UserData(frame), columns=table.columns, target="y", class_names=class_names
        )
    assert np.bincount(examples.targets).tolist() == [20, 20, 19, 1]


def arrow_column(values):
    return pytest.importorskip("pyarrow").chunked_array([values])


@pytest.mark.parametrize(
    "targets",
    [
        lambda: pd.Series(KINDS, index=range(7, 67)),
        lambda: pd.DataFrame({"price": KINDS}),
        lambda: np.array(KINDS)[:, None],
        lambda: pd.Series(KINDS, dtype="category"),
        lambda: pd.Index(KINDS),
        lambda: tf.constant(KINDS),
        lambda: [tf.constant(kind) for kind in KINDS],
        lambda: [np.array(kind) for kind in KINDS],
        lambda: pd.get_dummies(KINDS),
        lambda: arrow_column(KINDS),
        lambda: pytest.importorskip("polars").Series(KINDS),
        lambda: [kind.encode() for kind in KINDS],
    ],
)
def test_targets_of_any_library_are_classes(targets):
    table, messages = load((FRAME[["x"]], targets()), None)
    assert (table.class_names, table.target.name) == (("a", "b"), "target")
    is_b = table.examples.targets == 1
    assert set(table.examples.inputs["x"][is_b]) == set(X[1::2].astype("float32"))
    assert not messages


@pytest.mark.parametrize(
    "targets",
    [
        lambda: (2 * X)[:, None],
        lambda: pd.DataFrame({"price": 2 * X}),
        lambda: tf.constant(2 * X),
        lambda: [tf.constant(x) for x in 2 * X],
        lambda: arrow_column(2 * X),
    ],
)
def test_targets_of_any_library_are_numbers(targets):
    table, _ = load((FRAME[["x"]], targets()), None)
    assert table.problem_type == "regression"
    np.testing.assert_allclose(table.examples.targets, 2 * table.examples.inputs["x"], rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([{"label": 1}] * 60, "the name or the number of a class as a target; received dict"),
        ([{1}] * 60, "received set"),
        ([object()] * 60, "received object"),
        ([("a", "b")] * 60, r"expected one class for each example; received \('a', 'b'\)"),
        ([[1], [1, 2]] * 30, "expected one class for each example"),
        (pd.DataFrame({"a": X, "b": X}), "expected one class for each example"),
        (np.array(3), "received a single value, 3"),
        (tf.constant(3), "received a single value, 3"),
        ([], "as many inputs as targets"),
    ],
    ids=["dicts", "sets", "objects", "tuples", "ragged", "frame", "scalar", "tensor", "none"],
)
def test_targets_that_are_no_classes_are_named_by_their_type(targets, message):
    with pytest.raises(DataError, match=message):
        load((FRAME[["x"]], targets), None)


def test_dates_can_be_classes():
    dates = [datetime.date(2026, 1, 2), datetime.date(2026, 1, 3)] * 30
    assert load((FRAME[["x"]], dates), None)[0].class_names == ("2026-01-02", "2026-01-03")


@pytest.mark.parametrize("names", [["no", "yes"], ("no", "yes"), np.array(["no", "yes"]),
                                   pd.Index(["no", "yes"]), pd.Series(["no", "yes"])])  # fmt: skip
def test_class_names_are_a_sequence_of_any_library(names):
    table, _ = load((FRAME[["x"]], [0, 1] * 30), None, class_names=names)
    assert table.class_names == ("no", "yes")


def test_a_column_that_is_called_target_stays():
    inputs = FRAME[["x"]].assign(target=X[::-1], target_=X)
    table, _ = load((inputs, 2 * X), None)
    assert (names_of(table), table.target.name) == (["x", "target", "target_"], "target__")
    assert "the target is called 'target__', for a column is called 'target'" in table.notes
    for data in ((inputs, X), (dict(inputs), X)):
        with pytest.raises(DataError, match="the target 'target' is a column of the inputs too"):
            load(data, "target")


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_tables_of_other_libraries_are_read(library):
    module = pytest.importorskip(library)
    convert = module.table if library == "pyarrow" else module.DataFrame
    columns = {name: cells.to_numpy() for name, cells in FRAME.items()}
    table, _ = load(convert(columns))
    assert (names_of(table), table.problem_type) == (["x", "kind"], "regression")
    del columns["y"]
    assert names_of(load((convert(columns), KINDS), None)[0]) == ["x", "kind"]


class Frame:
    """A table of a library that is not installed."""

    def __init__(self, error=None):
        self.error = error

    def __len__(self):
        return len(FRAME)

    def to_pandas(self):
        if self.error is not None:
            raise self.error
        return FRAME


def test_a_table_that_becomes_one_of_pandas_is_read():
    assert names_of(load(Frame())[0]) == ["x", "kind"]
    with pytest.raises(InvalidInputError, match="can't become one of pandas: no pyarrow"):
        load(Frame(ImportError("no pyarrow")))


@pytest.mark.parametrize("cells", [["Yes", "yes", "no"] * 20, ["New York", "NewYork", "b"] * 20])
def test_values_that_differ_in_case_or_blanks_alone_are_told(cells):
    _, (message,) = load(FRAME.assign(kind=cells))
    assert message.startswith("column 'kind' has categories that differ in case or blanks alone")
    assert f"{cells[0]!r}" in message
    _, (message,) = load(FRAME.assign(y=sorted(cells)))
    assert message.startswith("there are classes that differ in case or blanks alone")


def test_columns_of_lists_are_left_out_with_the_reason_and_durations_are_read():
    table, _ = load(FRAME.assign(a=[[1], [2]] * 30, b=pd.to_timedelta(range(60), "s")))
    assert names_of(table) == ["x", "kind", "b"]
    assert any("'a' was left out: it holds cells of the type list" in x for x in table.notes)


@pytest.mark.parametrize("value", [1e39, "1e400", 10**400])
def test_numbers_that_float32_does_not_hold_are_named(value):
    frame = FRAME.assign(x=pd.Series([value, *X[1:]], dtype=object))
    with pytest.raises(
        InvalidInputError, match="'x', row 0: expected a finite number that float32"
    ):
        load(frame)


@pytest.mark.parametrize("factor", [1e-30, 1e-9, 1e9, 1e30])
def test_numbers_far_from_1_have_a_unit(factor):
    table, messages = load(FRAME.assign(x=X * factor, y=Y * factor))
    assert table.columns[0].scale == pytest.approx(factor)
    assert table.target.scale == pytest.approx(factor)
    assert not messages


@pytest.mark.thorough
def test_a_table_of_many_rows_is_read_in_no_time(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(50_000, 10))).assign(
        kind=random.choice([*"abc"], 50_000), text=[f"text {n}" for n in range(50_000)]
    )
    with contextlib.suppress(DataError):  # the columns are read first
        start = datetime.datetime.now()
        load(as_csv(frame, tmp_path, index=False), "0")
    assert datetime.datetime.now() - start < datetime.timedelta(seconds=10)
