"""`predict_to_file` of pipelines: each format, each task, chunks, and what goes wrong."""

import gzip
import json
import warnings

import helpers
import numpy as np
import pandas as pd
import pytest

from keras_fm import pipelines
from keras_fm.batch_prediction import file_sources, prediction
from keras_fm.data import datasets
from keras_fm.errors import DataError, DataWarning, InvalidInputError, KerasFmError

READERS = {
    ".csv": pd.read_csv,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".ndjson": lambda path: pd.read_json(path, lines=True),
    ".json": pd.read_json,
    ".parquet": pd.read_parquet,
}
SIZE = 7  # of a chunk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    for module, name in [
        (prediction, "CHUNK_ROWS"), (prediction, "CHUNK_TEXTS"), (file_sources, "CHUNK_TEXTS"),
        (file_sources, "CHUNK_IMAGES"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, SIZE)


@pytest.fixture(scope="module")
def regression():
    return pipelines.pipeline("linear_regression")


@pytest.fixture(scope="module")
def rows():
    """Rows with an id such as "007", which is no number."""
    pipe = pipelines.pipeline("linear_regression")
    columns = pipe.spec.task.data.prepare_dataset(datasets.sample("diamonds")).inputs
    frame = pd.DataFrame({name: columns[name][:20] for name in columns})
    return frame.assign(id=[f"{number:03}" for number in range(20)])


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def with_suffix(frame, path):
    """Write a table in the format of a suffix."""
    writers = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".gz": lambda: frame.to_csv(path, index=False),
        ".json": lambda: frame.to_json(path, orient="records"),
        ".jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        ".parquet": lambda: frame.to_parquet(path),
    }
    writers[path.suffix]()
    return path


@pytest.mark.parametrize("suffix", READERS)
def test_predictions_are_written_in_each_format(suffix, regression, rows, tmp_path):
    source = with_suffix(rows, tmp_path / "rows.csv")
    out = regression.predict_to_file(source, tmp_path / "new" / f"out{suffix}")
    table = READERS[suffix](out)
    assert [*table.columns] == [*rows.columns, "prediction"]
    expected = [prediction["value"] for prediction in regression(rows)]
    np.testing.assert_allclose(table["prediction"], expected, rtol=1e-6)
    np.testing.assert_allclose(table["carat"].astype("float32"), rows["carat"])
    assert files_in(out.parent) == [out.name]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("count", [1, SIZE, SIZE + 1, 20])
def test_files_of_each_kind_are_read_to_the_last_row(suffix, count, regression, rows, tmp_path):
    source = with_suffix(rows.iloc[:count], tmp_path / f"rows{suffix}")
    out = regression.predict_to_file(source, tmp_path / "out.csv", id_column="id")
    table = pd.read_csv(out, dtype={"id": str})
    assert [*table.columns] == ["id", "prediction"]
    expected = [prediction["value"] for prediction in regression(rows.iloc[:count])]
    np.testing.assert_allclose(table["prediction"], expected, rtol=1e-6)
    if suffix != ".json":  # pandas wrote them as strings, and reads them so in each of the others
        assert [*table["id"]] == [*rows["id"][:count]]


def test_a_csv_file_keeps_its_cells(regression, rows, tmp_path):
    frame = rows.astype(str).assign(note=['a, "b"', "", "NA", "ü"] * 5, carat="0.50")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    out = regression.predict_to_file(str(tmp_path / "rows.csv"), tmp_path / "out.csv")
    written = pd.read_csv(out, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(written[[*frame.columns]], frame.astype(written["note"].dtype))


def test_parquet_keeps_its_types(regression, rows, tmp_path):
    frame = rows.assign(
        count=pd.array([2**60 + 1, None] * 10, "Int64"), day=pd.Timestamp("2026-01-02")
    )
    with_suffix(frame, tmp_path / "rows.parquet")
    out = regression.predict_to_file(tmp_path / "rows.parquet", tmp_path / "out.parquet")
    written = pd.read_parquet(out)
    pd.testing.assert_frame_equal(written[["day", "carat"]], frame[["day", "carat"]])
    assert pd.read_parquet(out, dtype_backend="pyarrow")["count"][0] == 2**60 + 1
    out = regression.predict_to_file(tmp_path / "rows.parquet", tmp_path / "out.jsonl")
    first = json.loads(out.read_text().partition("\n")[0])
    assert (first["count"], first["day"][:10]) == (2**60 + 1, "2026-01-02")


def test_rows_of_json_need_not_have_all_keys(regression, rows, tmp_path):
    records = rows.to_dict("records")
    for record in records[:10]:
        del record["depth"]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, records)))
    out = regression.predict_to_file(source, tmp_path / "out.jsonl")
    values = [json.loads(line)["prediction"] for line in out.read_text().splitlines()]
    np.testing.assert_allclose(values, [x["value"] for x in regression(records)], rtol=1e-6)


def test_a_data_frame_and_a_folder_of_tables(regression, rows, tmp_path):
    expected = [prediction["value"] for prediction in regression(rows)]
    folder = tmp_path / "parts"
    (folder / "b").mkdir(parents=True)
    with_suffix(rows.iloc[:9], folder / "a.csv")
    with_suffix(rows.iloc[9:][[*reversed(rows.columns)]], folder / "b" / "c.parquet")
    for number, inputs in enumerate([rows, folder, [folder / "a.csv", folder / "b"]]):
        out = regression.predict_to_file(inputs, tmp_path / f"{number}.csv")
        np.testing.assert_allclose(pd.read_csv(out)["prediction"], expected, rtol=1e-6)


def test_tables_of_other_columns_are_an_error(regression, rows, tmp_path):
    with_suffix(rows, tmp_path / "a.csv")
    with_suffix(rows.drop(columns="id"), tmp_path / "b.csv")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    for inputs, message in [
        ([a, b], "b.csv has no column 'id'"),
        ([b, a], "a.csv has a column 'id'"),
    ]:
        with pytest.raises(DataError, match=message):
            regression.predict_to_file(inputs, tmp_path / "out.csv")
    assert regression.predict_to_file([a, b], tmp_path / "out.csv", id_column="carat").exists()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_an_invalid_row_is_named_by_its_file_and_nothing_is_written(
    suffix, regression, rows, tmp_path
):
    frame = rows.astype({"carat": object})
    frame.loc[12, "carat"] = "heavy"
    source = with_suffix(
        frame.astype(str) if suffix == ".parquet" else frame, tmp_path / f"r{suffix}"
    )
    message = rf"column 'carat', row 13 of .*r{suffix}: expected a number, .* 'heavy'"
    with pytest.raises(InvalidInputError, match=message):
        regression.predict_to_file(source, tmp_path / "out.csv")
    with pytest.raises(InvalidInputError, match=message):
        regression(source)
    assert files_in(tmp_path) == [source.name]


def test_a_row_without_a_finite_prediction_is_named_by_its_file(regression, rows, tmp_path):
    frame = rows.assign(carat=rows["carat"].where(rows.index != 15, -1e30))
    with_suffix(frame, tmp_path / "rows.csv")
    for predict in (
        lambda: regression.predict_to_file(tmp_path / "rows.csv", tmp_path / "out.csv"),
        lambda: regression(tmp_path / "rows.csv"),
    ):
        with pytest.raises(InvalidInputError, match=r"^row 16 of .*rows\.csv has no finite pred"):
            predict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no header"),
        (b"carat,cut\n", "has none"),
        (b"carat,cut\n1,2,3\n", "line 2: expected 2 cells"),
        (b"carat,carat\n1,2\n", "two columns 'carat'"),
        (b"carat,cut\n\xff,1\n", "is not UTF-8"),
        (b"carat,cut\n" + b"1,2\n" * 50_000 + b"\xff,1\n", "not UTF-8 .*in line 50,002"),
        (b"carat,cut\n" + b"1,2\n" * 50_000 + b"\0,1\n", "is a binary file"),
        (b'{"a": 1}\n{"a": 2}\n[3]\n', "line 3: expected a row in JSON"),
        (b'{"a": 1}\n{"a": \n', "line 2: can't be read as JSON"),
        (gzip.compress(b"carat,cut\n1,2\n" * 9000)[:-20], "can't be decompressed"),
        (b"PAR1....", "can't be read as a Parquet file"),
        (b"%PDF-1.7", "is a PDF"),
    ],
)
def test_files_that_are_no_tables_are_refused(content, message, regression, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(KerasFmError, match=message):
        regression.predict_to_file(tmp_path / "rows.csv", tmp_path / "out.csv")
    with pytest.raises(KerasFmError):
        regression(tmp_path / "rows.csv")
    assert files_in(tmp_path) == ["rows.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("there.csv", "there.csv exists"),
        ("folder.csv", "folder.csv exists"),
        ("out.xlsx", r"ends in \.csv, .*parquet; received .*out.xlsx"),
        ("out", r"ends in \.csv"),
        ("gs://bucket/out.csv", "on this machine"),
    ],
)
def test_the_output_is_checked_before_the_input_is_read(name, message, regression, tmp_path):
    (tmp_path / "there.csv").write_text("kept")
    (tmp_path / "folder.csv").mkdir()
    path = name if "://" in name else tmp_path / name
    with pytest.raises(InvalidInputError, match=message):
        regression.predict_to_file(tmp_path / "gone.csv", path)
    assert (tmp_path / "there.csv").read_text() == "kept"


@pytest.mark.parametrize("suffix", READERS)
def test_an_interrupt_leaves_nothing_behind(suffix, regression, rows, tmp_path, monkeypatch):
    source = with_suffix(rows, tmp_path / "rows.csv")
    predict = pipelines.Pipeline.__call__
    calls = []

    def stop(self, inputs, **options):
        calls.append(inputs)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(self, inputs, **options)

    monkeypatch.setattr(pipelines.Pipeline, "__call__", stop)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after 14 of 20 rows; .* not written"):
        regression.predict_to_file(source, tmp_path / f"out{suffix}")
    assert files_in(tmp_path) == ["rows.csv"]


def test_images_of_a_folder(small_run, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    names = [f"{number:02}.png" for number in range(9)] + ["deep/x.jpg"]
    for number, name in enumerate(names):
        kind = "PNG" if name.endswith("png") else "JPEG"
        (folder / name).write_bytes(helpers.encode(helpers.image(20, 30, number), kind))
    (folder / "04.png").write_bytes(b"cut")
    for name in ("notes.txt", "a.pdf", "deep/b.doc", "deep/c.doc"):
        (folder / name).write_text("x")
    classify = pipelines.pipeline(small_run.model)
    with pytest.warns(DataWarning) as caught:
        out = classify.predict_to_file(folder, tmp_path / "out.csv")
    assert [str(warning.message).replace(str(folder), "photos") for warning in caught] == [
        "4 of 14 files in photos are not images and are left out: a.pdf, deep/b.doc, "
        "deep/c.doc and 1 more",
        "1 of 10 images can't be read and is left out: photos/04.png is not an image that can be "
        "read: 3 bytes, in no format that Pillow knows",
    ]
    table = pd.read_csv(out)
    good = [str(folder / name) for name in names if name != "04.png"]
    assert [*table["file"]] == good
    labels = small_run.model.keras_fm_spec.labels
    shares = [f"probability_{label}" for label in labels]
    assert [*table.columns] == ["file", "label", "probability", *shares]
    predictions = classify(good)
    assert [*table["label"]] == [prediction["label"] for prediction in predictions]
    np.testing.assert_allclose(
        table[shares],
        [[*prediction["probabilities"].values()] for prediction in predictions],
        atol=1e-6,
    )
    np.testing.assert_allclose(table["probability"], table[shares].max(axis=1))
    with pytest.raises(InvalidInputError, match=r"04\.png is not an image"):
        classify.predict_to_file(folder / "04.png", tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("gone.png", "there is no file or folder gone.png"),
        ("empty", r"empty holds no images: expected files that end in \.avif"),
        ([], "received an empty list"),
    ],
)
def test_images_that_are_not_there(inputs, message, small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KerasFmError, match=message):
        pipelines.pipeline(small_run.model).predict_to_file(inputs, "out.csv")


def test_texts_of_tables_files_and_lists(tmp_path):
    classify = pipelines.pipeline("lstm")
    reviews = ["a wonderful film", "a terrible waste of time", ""] * 5
    expected = [prediction["label"] for prediction in classify(reviews)]
    table = pd.DataFrame({"stars": range(15), "label": "?", "body": reviews, "title": "x"})
    table.to_csv(tmp_path / "reviews.csv", index=False)
    out = classify.predict_to_file(tmp_path / "reviews.csv", tmp_path / "a.csv", text="body")
    written = pd.read_csv(out)
    assert [*written.columns] == [
        *table.columns, "predicted_label", "probability", "probability_negative",
        "probability_positive",
    ]  # fmt: skip
    assert [*written["predicted_label"]] == expected
    unclear, unknown = "which column .* holds the texts", "Did you mean 'body'"
    for column, message in [(None, unclear), ("bod", unknown)]:
        with pytest.raises(KerasFmError, match=message):
            classify.predict_to_file(tmp_path / "reviews.csv", tmp_path / "b.csv", text=column)
    out = classify.predict_to_file(table[["stars", "body"]], tmp_path / "b.csv", id_column="stars")
    assert [*pd.read_csv(out)["label"]] == expected
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, review in enumerate(reviews):
        (folder / f"{number:02}.txt").write_text(review)
    assert [*pd.read_csv(classify.predict_to_file(folder, tmp_path / "c.csv"))["label"]] == expected
    written = pd.read_csv(classify.predict_to_file(reviews, tmp_path / "d.csv"), na_filter=False)
    assert [*written["label"]] == expected
    assert [*written["text"]] == reviews
    with pytest.raises(InvalidInputError, match="text names a column of a table"):
        classify.predict_to_file(folder, tmp_path / "e.csv", text="body")
    with pytest.raises(InvalidInputError, match="expected files of texts, or texts"):
        classify.predict_to_file([folder / "00.txt", "a film"], tmp_path / "e.csv")


@pytest.mark.thorough
def test_generated_texts_are_those_of_one_call(tmp_path):
    continue_prompts = pipelines.pipeline("char_lstm")
    prompts = [f"ROMEO {number}:" for number in range(9)]
    options = {"length": 5, "seed": 3}
    out = continue_prompts.predict_to_file(prompts, tmp_path / "out.jsonl", **options)
    written = [json.loads(line)["prediction"] for line in out.read_text().splitlines()]
    assert written == [prediction["text"] for prediction in continue_prompts(prompts, **options)]


def test_masks_are_filled(tmp_path):
    fill = pipelines.pipeline("mini_bert.mlm")
    text = "a [MASK] film with a good [MASK]"
    (prediction,) = fill(text)
    best = [max(mask.items(), key=lambda pair: pair[1]) for mask in prediction["masks"]]
    table = pd.read_csv(fill.predict_to_file([text], tmp_path / "out.csv"))
    assert table["prediction"][0] == " ".join(token for token, _ in best)
    assert table["probability"][0] == pytest.approx(best[0][1] * best[1][1], rel=1e-5)


def test_a_generator_of_images_writes_no_table(tmp_path):
    with pytest.raises(InvalidInputError, match="models of images, texts and tables"):
        pipelines.pipeline("gan").predict_to_file(["Coat"], tmp_path / "out.csv")
    with pytest.raises(InvalidInputError, match=r"column of .*texts; this model takes tables"):
        pipelines.pipeline("linear_regression").predict_to_file(
            "x.csv", tmp_path / "o.csv", text="a"
        )


def test_rows_of_fewer_cells_are_told_once(regression, rows, tmp_path):
    lines = rows.to_csv(index=False).splitlines()
    lines[3] = lines[3].rpartition(",")[0]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    with pytest.warns(
        DataWarning, match="1 row has fewer cells than the header, in line 4"
    ) as caught:
        regression.predict_to_file(tmp_path / "rows.csv", tmp_path / "out.csv")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regression.predict_to_file(rows, tmp_path / "out2.csv")
