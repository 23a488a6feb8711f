"""Users' texts: CSV files, data frames, folders and strings; and their errors."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.models.spec import ModelSpec

REVIEWS = {"good": "a fine film", "bad": "a dull film"}


def text_classifier():
    return ModelSpec.of(registry.find("lstm")[0])


def load(data, **options):
    return text_classifier().task.data.load_user_data(UserData(data, **options), 0)


@pytest.fixture
def reviews(tmp_path):
    """A CSV file of twelve texts with three ratings."""
    file = tmp_path / "reviews.csv"
    lines = ["id,body,stars", *(f'{n},"text, number {n}",{n % 3 + 3}' for n in range(12))]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    "options", [{"text": "body", "target": "stars"}, {"target": "stars"}], ids=["both", "target"]
)
def test_texts_of_a_csv_file_are_loaded(reviews, options):
    spec, examples, notes = load(reviews, **options)
    assert spec.labels == ("3", "4", "5")
    assert sorted(examples.inputs) == sorted(f"text, number {n}".encode() for n in range(12))
    for text, target in zip(examples.inputs, examples.targets, strict=True):
        assert int(text.split()[-1]) % 3 == target
    assert "12 texts, column 'body'; classes, column 'stars'" in examples.description
    assert notes == ["3 classes: 3 4, 4 4, 5 4"]


def test_texts_of_a_data_frame_are_loaded(reviews):
    spec, examples, _ = load(pd.read_csv(reviews), text="body", target="stars")
    assert (spec.labels, len(examples)) == (("3", "4", "5"), 12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, InvalidInputError, "say which column of .* names their classes: target="),
        ({"text": "bodi", "target": "stars"}, DataError, "no column 'bodi'. Did you mean 'body'"),
        ({"text": "body", "target": "star"}, DataError, "no column 'star'. Did you mean 'stars'"),
        ({"text": "body", "target": "body"}, InvalidInputError, "are both the column 'body'"),
        ({"text": "id", "target": "stars"}, DataError, "expected texts in 'id'; received int64"),
        ({"problem_type": "regression"}, InvalidInputError, "problem_type is for a table"),
    ],
)
def test_unsuitable_columns_are_named(reviews, options, error, message):
    with pytest.raises(error, match=message):
        load(reviews, **options)


def test_missing_texts_and_labels_are_counted_and_left_out(reviews):
    reviews.write_text(reviews.read_text() + "12,,3\n13,a text,\n14,,\n")
    with pytest.warns(DataWarning) as caught:
        spec, examples, _ = load(reviews, text="body", target="stars")
    messages = "\n".join(str(warning.message) for warning in caught)
    assert f"left out: row 13 of {reviews} and row 15 of {reviews}" in messages
    assert f"1 of 13 examples has no label and is left out: row 14 of {reviews}" in messages
    assert (spec.labels, len(examples)) == (("3", "4", "5"), 12)


def test_an_example_without_text_and_label_is_of_no_class(reviews):
    reviews.write_text(reviews.read_text() + "12,,\n")
    with pytest.warns(DataWarning):
        _, _, notes = load(reviews, text="body", target="stars")
    assert not [note for note in notes if "without any example" in note]


def test_texts_of_a_folder_are_loaded(tmp_path):
    for label, text in REVIEWS.items():
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.txt").write_text(f"\ufeff{text} {number}\n")
    (tmp_path / "good" / "3.txt").write_text(" \n")
    with pytest.warns(
        DataWarning, match="1 of 7 texts is empty or no text, and is left out: good/3.txt"
    ):
        spec, examples, _ = load(tmp_path)
    assert spec.labels == ("bad", "good")
    assert sorted(examples.inputs)[0] == b"a dull film 0"
    with pytest.raises(InvalidInputError, match="columns of a CSV file"):
        load(tmp_path, target="stars")


def test_strings_are_loaded():
    texts = [*REVIEWS.values()] * 2
    spec, examples, _ = load((texts, [*REVIEWS] * 2))
    assert (spec.labels, set(examples.inputs)) == (
        ("bad", "good"), {b"a fine film", b"a dull film"}
    )  # fmt: skip
    with pytest.raises(DataError, match="expected texts; received int 5"):
        load(([5, 6], ["a", "b"]))
    with pytest.warns(DataWarning, match="1 of 5 texts"):
        load(([*texts, 5], [*REVIEWS, *REVIEWS, "bad"]))


def test_classes_unknown_to_a_model_are_counted(reviews):
    task = text_classifier().with_class_names(["3", "4"]).task
    with pytest.raises(DataError, match="4 of 12 examples have a class"):
        task.data.load_eval_data(UserData(reviews, target="stars"))


def test_texts_that_are_numbers_are_counted():
    with pytest.warns(
        DataWarning, match=r"2 of 6 texts are numbers: '4\.5' \(example 0\) and '12' "
    ):
        _, examples, _ = load((["4.5", "7 of 10", "12", *REVIEWS.values(), "b"], [*"ababab"]))
    assert len(examples) == 6
    with pytest.raises(DataError, match="expected texts; received numbers, such as '4'"):
        load((["4", "5", "1e3", "-7"], [*"abab"]))


def test_texts_that_are_not_utf_8_are_counted(tmp_path):
    for label, text in REVIEWS.items():
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.txt").write_text(f"{text} {number}")
    (tmp_path / "good" / "latin.txt").write_bytes("a café film".encode("latin-1"))
    (tmp_path / "good" / "utf16.txt").write_bytes("a film".encode("utf-16"))
    with pytest.warns(DataWarning) as caught:
        _, examples, _ = load(tmp_path)
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "1 of 8 texts is empty or no text, and is left out: good/utf16.txt" in messages
    assert "1 of 7 texts is not UTF-8: good/latin.txt" in messages
    assert len(examples) == 7


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (pd.DataFrame([["a", "b"]] * 4), {"target": 1}, "every example has the class 'b'"),
        (pd.DataFrame([["a", "b"]] * 4, columns=["x", "x"]), {}, "has two columns 'x'"),
        (
            pd.DataFrame(columns=["body", "stars"]),
            {"target": "stars"},
            "expected texts to learn from; received 0 texts",
        ),
    ],
    ids=["named-by-numbers", "duplicate-names", "empty"],
)
def test_unsuitable_data_frames_are_named(frame, options, message):
    with pytest.raises(DataError, match=message):
        load(frame, **options)


def test_another_separator_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("body;stars\na film;3\n")
    with pytest.raises(DataError, match="The cells seem to lie between ';'"):
        load(tmp_path / "x.csv", text="body", target="stars")


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan"])
def test_words_for_missing_values_are_texts_and_classes(tmp_path, word):
    frame = pd.DataFrame({"body": [word, "a film", "a play"] * 4, "stars": [word, "good"] * 6})
    frame.to_csv(tmp_path / "x.csv", index=False)
    spec, examples, notes = load(tmp_path / "x.csv", target="stars")
    assert spec.labels == tuple(sorted([word, "good"]))
    assert sorted({*examples.inputs}) == sorted([word.encode(), b"a film", b"a play"])
    assert len(examples) == 12
    assert len(notes) == 1


def test_row_numbers_without_a_name_are_no_column(tmp_path):
    frame = pd.DataFrame({"body": ["a film", "a play"] * 6, "stars": ["3", "4"] * 6})
    frame.sample(frac=0.8, random_state=0).to_csv(tmp_path / "x.csv")
    for data in (tmp_path / "x.csv", pd.read_csv(tmp_path / "x.csv")):
        for options in ({"target": "stars"}, {"text": "body"}):
            with pytest.warns(DataWarning, match="'Unnamed: 0' was left out.*numbers the rows"):
                spec, examples, _ = load(data, **options)
            assert (spec.labels, len(examples)) == (("3", "4"), 10)


def test_texts_of_json_parquet_and_other_libraries_are_loaded(tmp_path):
    frame = pd.DataFrame({"body": ["a film", "a play"] * 6, "stars": ["good", "bad"] * 6})
    frame.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    sources = [tmp_path / "x.jsonl"]
    try:
        import pyarrow
    except ImportError:
        pass
    else:
        frame.to_parquet(tmp_path / "x.parquet")
        sources += [tmp_path / "x.parquet", pyarrow.table(frame.to_dict("list"))]
    for source in sources:
        spec, examples, _ = load(source, text="body", target="stars")
        assert (spec.labels, len(examples)) == (("bad", "good"), 12)


@pytest.mark.parametrize("convert", [
    lambda texts: pd.DataFrame({"body": texts}),
    lambda texts: pd.Series(texts, index=range(50, 50 + len(texts))),
    lambda texts: pd.Series(texts, dtype="category"),
    lambda texts: tf.constant(texts),
    lambda texts: [tf.constant(text) for text in texts],
    lambda texts: np.array(texts),
])  # fmt: skip
def test_texts_of_any_library_are_loaded(convert):
    texts = ["a film", "a play"] * 6
    spec, examples, _ = load((convert(texts), pd.DataFrame({"stars": ["good", "bad"] * 6})))
    assert spec.labels == ("bad", "good")
    assert set(examples.inputs[examples.targets == 1]) == {b"a film"}


def test_unsuitable_texts_of_a_pair_are_named():
    frame = pd.DataFrame({"a": ["x"] * 6, "b": ["y"] * 6})
    with pytest.raises(DataError, match=r"expected texts in one column; .* data frame of 2: a, b"):
        load((frame, ["good", "bad"] * 3))
    with pytest.raises(DataError, match="expected texts; received float nan"):
        load((pd.Series([float("nan")] * 6, index=range(50, 56)), ["good", "bad"] * 3))


def test_a_row_of_texts_with_a_comma_is_named_by_its_line(tmp_path):
    (tmp_path / "x.csv").write_text("body,stars\na film,3\nlong, dull, bad,4\n")
    with pytest.raises(DataError, match=r"x\.csv, line 3: expected 2 cells.*stands in quotes"):
        load(tmp_path / "x.csv", text="body", target="stars")
