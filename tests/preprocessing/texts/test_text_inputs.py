from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

import keras_fm
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.preprocessing.texts.inputs import read_file, read_texts

TEXTS = ["a fine film", "a dull film"]
SEVERAL = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "generator": (text for text in TEXTS),
    "array": np.array(TEXTS),
    "object array": np.array(TEXTS, object),
    "0-d arrays": [np.array(text) for text in TEXTS],
    "tensor": tf.constant(TEXTS),
    "tensors": [tf.constant(text) for text in TEXTS],
    "series": pd.Series(TEXTS, index=[7, 8]),
    "index": pd.Index(TEXTS),
    "Arrow column": pa.chunked_array([TEXTS]),
    "frame of one column": pd.DataFrame({"review": TEXTS}),
    "Arrow table of one column": pa.table({"review": TEXTS}),
}


@pytest.mark.parametrize("inputs", SEVERAL.values(), ids=SEVERAL)
def test_texts_of_any_container_are_read(inputs):
    assert list(read_texts(inputs)) == [text.encode() for text in TEXTS]


@pytest.mark.parametrize(
    "inputs", ["a fine film", b"a fine film", np.array("a fine film"), tf.constant("a fine film")]
)
def test_one_text_is_read(inputs):
    assert list(read_texts(inputs)) == [b"a fine film"]


REFUSED = {
    "None": (None, "received NoneType"),
    "number": (5, "received int 5"),
    "0-d number": (np.array(5), "received int 5"),
    "dict": ({"text": TEXTS, "id": [1, 2]}, "received a dict of 'text', 'id'"),
    "frame": (pd.DataFrame({"review": TEXTS, "id": [1, 2]}), "data frame of 'review', 'id'"),
    "Arrow table": (pa.table({"review": TEXTS, "id": [1, 2]}), "data frame of 'review', 'id'"),
    "list of dicts": ([{"text": "a"}], "received dict {'text': 'a'} at position 0"),
    "missing text": (pd.Series(["a", np.nan]), "received float nan at position 1"),
    "None in a list": (["a", None], "received NoneType at position 1"),
    "numbers": ([1, 2], "received int 1 at position 0"),
    "array of two dimensions": (np.array([TEXTS]), r"an array of the shape \(1, 2\)"),
    "empty list": ([], "received an empty list"),
}


@pytest.mark.parametrize(("inputs", "message"), REFUSED.values(), ids=REFUSED)
def test_what_holds_other_things_than_texts_is_refused(inputs, message):
    message = rf"expected one text \(str\) or several; .*{message}"
    with pytest.raises(InvalidInputError, match=message):
        read_texts(inputs)


def test_an_open_file_is_refused(tmp_path):
    (tmp_path / "review.txt").write_text("a\nb")
    stream = (tmp_path / "review.txt").open()
    with stream, pytest.raises(InvalidInputError, match="received TextIOWrapper"):
        read_texts(stream)


@pytest.mark.parametrize("name", ["r.csv", "r.txt", "review.md"])
def test_the_name_of_a_file_is_no_text(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for inputs in (name, [name], (name, "a fine film")):
        with pytest.raises(InvalidInputError, match=r"looks like the path .*: there is no f"):
            read_texts(inputs)
    assert list(read_texts(name.encode())) == [name.encode()]
    assert list(read_texts(np.array([name]))) == [name.encode()], "a column of texts"
    assert list(read_texts([name] * 101)) == [name.encode()] * 101, "a data set of texts"
    Path(name).write_text("a fine film")
    for inputs in (name, [name], str(Path(name).absolute())):
        with pytest.raises(InvalidInputError, match=r"is the name of a file: pass pathlib\.Path\("):
            read_texts(inputs)
    Path("good").touch()
    assert list(read_texts("good")) == [b"good"]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".parquet", ".jsonl"])
def test_the_path_of_a_file_is_read(suffix, tmp_path):
    path, frame = tmp_path / f"r{suffix}", pd.DataFrame({"id": [1, 2], "review": TEXTS})
    expected = [text.encode() for text in TEXTS]
    if suffix == ".txt":
        path.write_text("\n".join(TEXTS), "utf-8-sig")
        expected = ["\n".join(TEXTS).encode()]
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    assert list(read_texts(path)) == expected
    assert list(read_texts([path, "another"])) == [*expected, b"another"]


def test_a_file_that_can_not_be_read_as_texts_is_refused(tmp_path):
    latin, table = tmp_path / "latin.txt", tmp_path / "two.csv"
    latin.write_bytes("café".encode("latin-1"))
    pd.DataFrame({"title": TEXTS, "review": TEXTS}).to_csv(table, index=False)
    for path, message in [
        (latin, "is no text in UTF-8"),
        (tmp_path / "missing.txt", "there is no file .*missing.txt"),
        (tmp_path, "is a folder; expected a file"),
        (table, "has several columns: say which one holds the texts.* Known: title, review"),
    ]:
        with pytest.raises((InvalidInputError, DataError), match=message):
            read_texts(path)
    assert read_file(table, "title") == TEXTS


@pytest.mark.parametrize("name", ["lstm", "mini_bert.mlm", "char_lstm", "gan"])
def test_every_task_of_texts_refuses_a_frame_and_a_dict(name):
    predict = keras_fm.pipeline(keras_fm.get(name, weights=None if "." not in name else "default"))
    for inputs in (pd.DataFrame({"a": TEXTS, "b": TEXTS}), {"text": TEXTS}, None, [7]):
        with pytest.raises(InvalidInputError, match=r"expected one text \(str\) or several"):
            predict(inputs)
