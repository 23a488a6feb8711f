"""A table is loaded: its problem type, its classes, and a kind for each column."""

import re

import numpy as np
import pandas as pd
import pytest

from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables import category_columns
from keras_fm.data.user.tables.loading import load_eval_table, load_table
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.registry.entry import Target

# What is left out is said, which is not what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")


def load(data, target="t", **options):
    """Load a table to train on."""
    return load_table(UserData(data, target=target, **options))


def test_the_problem_type_can_be_given(tmp_path):
    file = tmp_path / "stars.csv"
    rows = [f"{number % 7},{number % 5}" for number in range(100)]
    file.write_text("\n".join(["a,stars", *rows]))
    table = load(file, "stars")
    assert (table.problem_type, table.class_names) == ("classification", ("0", "1", "2", "3", "4"))
    assert sorted(set(table.examples.targets)) == [0, 1, 2, 3, 4]
    table = load(file, "stars", problem_type="regression")
    assert (table.problem_type, table.class_names) == ("regression", ())
    assert table.target.name == "stars"
    assert table.examples.targets.max() == 4.0
    with pytest.raises(InvalidInputError, match="class_names are those of a classification"):
        load(file, "stars", problem_type="regression", class_names=["a", "b"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(20), "classification"),
        (range(21), "regression"),
        ([0.0, 1.0], "classification"),
        ([0.5, 1.0], "regression"),
        ([True, False], "classification"),
        (["1", "2"], "classification"),
    ],
    ids=["few", "many", "integers", "fractions", "bool", "strings"],
)
def test_the_problem_type_is_inferred(values, expected):
    frame = pd.DataFrame({"a": range(2 * len(values)), "t": [*values] * 2})
    assert load(frame).problem_type == expected


@pytest.mark.parametrize(
    ("cells", "class_names"),
    [(["10", "9", "9", "10"], ("9", "10")), (["a", "1", "1", "a"], ("1", "a"))],
)
def test_classes_are_sorted_as_numbers_or_as_strings(tmp_path, cells, class_names):
    file = tmp_path / "table.csv"
    file.write_text("\n".join(["size,rating", *(f"{n},{cell}" for n, cell in enumerate(cells))]))
    assert load(file, "rating", problem_type="classification").class_names == class_names


def test_a_class_name_with_a_line_break_is_named(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text('size,rating\n1,"a\nb"\n2,c\n3,c\n4,"a\nb"\n')
    with pytest.raises(DataError, match=r"'rating': class_names is a list.*printable"):
        load(file, "rating")


def test_class_names_with_leading_zeros_stay_strings(tmp_path):
    frame = pd.DataFrame({"m": range(60), "t": ["01", "02", "A"] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = load(tmp_path / "t.csv")
    frame[frame["t"] != "A"].to_csv(tmp_path / "q.csv", index=False)
    examples = load_eval_table(
        UserData(tmp_path / "q.csv"),
        columns=table.columns,
        target="t",
        class_names=table.class_names,
    )
    assert np.bincount(examples.targets).tolist() == [20, 20]


def with_missing(cells, word="?", every=20):
    """A table of cells, some replaced by a word, and a target."""
    cells = [word if index % every == 0 else str(cell) for index, cell in enumerate(cells)]
    return pd.DataFrame({"m": cells, "k": ["u", "v"] * (len(cells) // 2), "t": ["b", "a"] * 100})


@pytest.mark.parametrize("word", ["?", "-", "Unknown", "n/A", "NA", "<NA>", "-nan", "#NA"])
@pytest.mark.parametrize("cells", [range(200), [18 + n % 62 for n in range(200)]])
def test_words_for_missing_numbers_leave_a_column_numeric(tmp_path, cells, word):
    with_missing(cells, word).to_csv(tmp_path / "t.csv", index=False)
    table = load(tmp_path / "t.csv")
    half = pd.read_csv(tmp_path / "t.csv")
    doubled = pd.concat([half, half])  # its index has each number twice
    assert load(doubled).columns[0].dtype == "float32"
    assert (table.columns[0].name, table.columns[0].dtype) == ("m", "float32")
    assert np.isnan(table.examples.inputs["m"]).sum() == 10
    assert f"10 of 200 cells, such as {word!r}, are missing numbers" in "\n".join(table.notes)


@pytest.mark.parametrize(
    "frame",
    [
        with_missing([n % 5 for n in range(200)], "many"),
        with_missing([n % 5 for n in range(200)], "?", every=1),
        with_missing([n % 5 if n % 3 == 1 else "?" for n in range(200)]),
        with_missing([f"0{n % 5}" for n in range(200)]),
        with_missing([str(n % 5) for n in range(200)], "0"),
        with_missing([n % 2 == 0 for n in range(200)]),
    ],
    ids=["a-word", "no-number", "few-numbers", "leading-zeros", "a-zero", "booleans"],
)
def test_other_words_make_a_column_categorical(frame):
    assert "float32" not in [column.dtype for column in load(frame).columns]


def test_the_columns_of_a_pretrained_model_are_kept_where_the_table_has_them_all():
    columns = load(with_missing(range(200)).assign(m=range(200))).columns
    assert [column.name for column in columns] == ["m", "k"]
    frame = with_missing(range(200), "unknown", every=3).assign(more=range(200))
    source = UserData(frame, target="t")
    assert load_table(source, known_columns=columns).columns == columns
    for other in (frame.drop(columns="k"), frame.assign(m=[*"ab"] * 100), frame.assign(k=1.5)):
        source = UserData(other, target="t")
        inferred = load_table(source, known_columns=columns).columns
        assert "more" in [column.name for column in inferred]


def test_the_target_of_a_pretrained_model_is_kept_where_it_has_the_same_name_and_scale():
    known = Target(name="t", description="", log=True)
    frame = pd.DataFrame({"a": range(60), "t": np.linspace(0.5, 9, 60), "u": range(60)})
    for name, table, expected in (
        ("t", frame, known),
        ("u", frame, None),
        ("t", frame.assign(t=frame["t"] - 3), None),
        ("t", frame.assign(t=frame["t"] - 0.5), None),
    ):
        target = load_table(UserData(table, target=name), known_target=known).target
        assert target == (expected or Target(name=name, description="the number to predict"))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a"] * 199 + ["b"], "only one value, 'a', occurs twice or more"),
        ([f"id {n}" for n in range(200)], "nearly every row has a different value"),
        (["a"] * 200, "it has a single value"),
    ],
)
def test_a_column_is_left_out_with_a_reason(cells, reason):
    frame = pd.DataFrame({"k": cells, "m": range(200), "t": ["a", "b"] * 100})
    assert f"column 'k' was left out: {reason}" in load(frame).notes


def test_an_infinite_number_is_named_by_its_row(tmp_path):
    (tmp_path / "t.csv").write_text("m,t\n0,\ninf,a\n" + "1,b\n2,a\n" * 50)
    with pytest.raises(InvalidInputError, match=r"'m', row 2 of .*: expected .* received inf"):
        load(tmp_path / "t.csv")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_a_target_that_is_infinite_in_float32_is_named_by_its_row(value):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"m": rng.normal(size=50), "n": range(50), "t": rng.normal(size=50)})
    columns = load(frame).columns
    frame.loc[3, "t"] = value
    message = re.escape(f"float32 holds in 't'; 1 of 50 is not, such as {value:g} in row 3: ")
    with pytest.raises(DataError, match=message):
        load(frame)
    with pytest.raises(DataError, match=message):
        load_eval_table(UserData(frame), columns=columns, target="t")


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_that_float32_does_not_hold_are_named_by_their_row():
    frame = pd.DataFrame({"m": [1e300, -1e300, 1e200] * 20, "n": range(60), "t": ["a", "b"] * 30})
    with pytest.raises(InvalidInputError, match=r"'m', row \d+: expected .* received -?1e\+\d00"):
        load(frame)


def test_a_few_integers_that_may_be_numbers_to_predict_are_told():
    frame = pd.DataFrame({"m": [1.0, 2.0, 3.0], "t": [3, 4, 7]})
    with pytest.raises(DataError, match=r"are the only ones .* say problem_type='regression'"):
        load(frame)
    with pytest.raises(DataError, match=r"only ones of their class, such as '\w'$"):
        load(frame.assign(t=["x", "y", "z"]))
    assert load_table(UserData(frame, target="t", problem_type="regression")).class_names == ()


def test_a_file_with_semicolons_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("m;k;t\n" + "1;u;a\n2;v;b\n" * 50)
    with pytest.raises(DataError, match=r"no column 't'. .* between ';'; expected commas"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("values", "class_names"),
    [([n * 1.5 for n in range(60)], ()), ([n % 2 for n in range(60)], ("0", "1"))],
    ids=["regression", "classification"],
)
def test_rows_with_a_word_for_a_missing_target_are_dropped(values, class_names):
    cells = ["?" if index % 20 == 0 else str(value) for index, value in enumerate(values)]
    frame = pd.DataFrame({"a": range(60), "t": cells})
    with pytest.warns(
        DataWarning, match="3 of 60 rows have no 't' and are left out: row 0, row 20 and row 40"
    ):
        table = load(frame)
    assert (table.class_names, len(table.examples)) == (class_names, 57)
    examples = load_eval_table(
        UserData(frame), columns=table.columns, target="t", class_names=class_names
    )
    expected = [value for index, value in enumerate(values) if index % 20]
    np.testing.assert_array_equal(examples.targets, expected)
    np.testing.assert_array_equal(examples.inputs["a"], [n for n in range(60) if n % 20])


def test_an_evaluation_wants_the_columns_of_the_model():
    table = load(pd.DataFrame({"a": range(20), "b": range(20), "t": [0, 1] * 10}))
    options = {"columns": table.columns, "class_names": table.class_names}
    frame = pd.DataFrame({"a": range(4), "t": [0, 1, 2, 1]})
    with pytest.raises(DataError, match="has no column 'b'"):
        load_eval_table(UserData(frame), target="t", **options)
    with pytest.raises(DataError, match="has no column 'u'"):
        load_eval_table(UserData(frame.assign(b=1)), target="u", **options)
    with pytest.raises(DataError, match=r"1 of 4 examples has a class .*: '2'"):
        load_eval_table(UserData(frame.assign(b=1)), target="t", **options)


def test_categories_occur_twice_or_more(monkeypatch):
    monkeypatch.setattr(category_columns, "MAX_CATEGORIES", 3)
    cells = [*"aaaa", *"bbb", *"ccc", *"dd", "e"]
    table = load(pd.DataFrame({"k": cells, "t": [0, 1] * 6 + [0]}))
    assert table.columns[0].categories == ["a", "b", "c"]
    monkeypatch.setattr(category_columns, "MAX_CATEGORIES", 9)
    table = load(pd.DataFrame({"k": cells, "t": [0, 1] * 6 + [0]}))
    assert table.columns[0].categories == ["a", "b", "c", "d"]


def test_columns_of_bytes_are_decoded():
    columns = {"k": np.array([b"u", "é".encode()] * 20, object), "m": np.arange(40)}
    table = load((columns, [b"x", b"y"] * 20))
    assert table.columns[0].categories == ["u", "é"]
    assert table.class_names == ("x", "y")
    assert set(table.examples.inputs["k"]) == {"u", "é"}


def test_a_frame_and_its_targets_are_a_pair():
    frame = pd.DataFrame({"a": range(40)}, index=range(100, 140))
    table = load((frame, pd.Series(["x", "y"] * 20)))
    assert table.class_names == ("x", "y")
    pairs = zip(table.examples.inputs["a"], table.examples.targets, strict=True)
    assert all(int(number) % 2 == target for number, target in pairs)
