"""`BatchPredictor` on Arrow tables, as an engine calls it: predictions, errors, types, chunks."""

import helpers
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from keras_fm import pipelines, registry
from keras_fm.batch_prediction.columns import column_dtypes, prediction_columns
from keras_fm.batch_prediction.readable import predict_readable
from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.models import loading
from keras_fm.registry.tasks import task_module
from keras_fm.scoring import BatchPredictor, predictor, spark
from keras_fm.scoring.specification import ScoringSpec

SIZE = 7  # of a chunk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(predictor, "CHUNK_SIZES", dict.fromkeys(predictor.CHUNK_SIZES, SIZE))


@pytest.fixture(scope="module")
def rows():
    """Some diamonds with an ID, whose cells are strings, as in a CSV file with bad cells."""
    frame = pd.DataFrame(datasets.sample("diamonds").inputs)[:20].astype(str)
    return pa.Table.from_pandas(frame.assign(id=range(20)))


@pytest.fixture(scope="module")
def regression():
    return BatchPredictor("linear_regression")


def with_bad_cells(rows, *bad):
    cells = rows["carat"].to_pylist()
    for row in bad:
        cells[row] = "heavy"
    return rows.set_column(
        rows.column_names.index("carat"), "carat", pa.array(cells, rows["carat"].type)
    )


@pytest.mark.parametrize("bad", [[], [0], [6, 7], [3, 4, 19], [*range(20)]], ids=str)
def test_bad_rows_have_an_error_and_the_others_predictions(regression, rows, bad):
    result = regression(with_bad_cells(rows, *bad))
    values = [x["value"] for x in pipelines.pipeline("linear_regression")(rows.to_pandas())]
    assert result["id"].to_pylist() == [*range(20)]
    predictions, errors = result["prediction"].to_pylist(), result["error"].to_pylist()
    for row in range(20):
        if row in bad:
            assert predictions[row] is None
            assert errors[row] == (
                "column 'carat': expected a number, or none where it is missing; received 'heavy'"
            )
        else:
            assert errors[row] is None
            assert predictions[row] == pytest.approx(values[row], rel=1e-5)


def test_types_are_the_same_whatever_the_rows(regression, rows):
    schema = regression(rows).schema
    assert schema.field("prediction").type == pa.float32()
    assert schema.field("error").type == pa.string()
    assert schema.names == [*rows.column_names, "prediction", "error"]
    for part in (rows[:0], with_bad_cells(rows, 0)[:1], rows[:1]):
        result = regression(part)
        assert result.schema.equals(schema)
        assert len(result) == len(part)


def test_columns_of_the_rows_keep_their_values_and_types(regression, rows):
    whole = pa.array([1, None] * 10, pa.int8())
    table = rows.append_column("error", whole).append_column("label", whole)
    result = regression(table)
    assert result.select(table.column_names).equals(table)
    assert result.column_names[-2:] == ["prediction", "predicted_error"]


def test_integers_with_nulls_and_dictionaries_are_read(regression, rows):
    frame = rows.to_pandas()
    expected = regression(rows)["prediction"].to_pylist()
    table = rows.set_column(
        rows.column_names.index("table"),
        "table",
        pa.array([None, *frame["table"].astype(float).round().astype(int)[1:]], pa.int32()),
    )
    cut = rows.column_names.index("cut")
    table = table.set_column(cut, "cut", table["cut"].dictionary_encode())
    result = regression(table)
    assert result["error"].null_count == 20
    assert result["prediction"].to_pylist()[1:] == pytest.approx(expected[1:], rel=0.1)


def test_images_are_bytes_or_paths(tmp_path):
    image = helpers.image(40, 50)
    (tmp_path / "photo.png").write_bytes(helpers.encode(image))
    [expected] = pipelines.pipeline("cifar_cnn_basic")(image)
    predict = BatchPredictor("cifar_cnn_basic", "photo")
    files = pa.table({"photo": [helpers.encode(image), b"no image", None]})
    paths = pa.table({"photo": [str(tmp_path / "photo.png"), str(tmp_path / "none.png"), ""]})
    for table in (files, paths):
        result = predict(table).to_pandas()
        assert result["label"][0] == expected["label"]
        for name, value in expected["probabilities"].items():
            assert result[f"probability_{name}"][0] == pytest.approx(value, abs=1e-5)
        assert result["label"][1:].isna().all()
        assert result["error"].isna().tolist() == [True, False, False]
    assert str(tmp_path / "none.png") in result["error"][1]


@pytest.mark.thorough
def test_texts_are_no_file_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.txt").write_text("A dull film.")
    model = loading.get("lstm", weights=None, units=8, width=8)
    base = tmp_path / "reviews"
    helpers.export(model, base)
    predict = BatchPredictor(base, "label", threshold=0.3)
    result = predict(pa.table({"label": ["film.txt", None, "A wonderful film!"]})).to_pandas()
    expected = pipelines.pipeline(model, threshold=0.3)([b"film.txt", "A wonderful film!"])
    assert result["predicted_label"][[0, 2]].tolist() == [x["label"] for x in expected]
    assert result["predicted_label"].isna().tolist() == [False, True, False]
    assert result["error"][1] == "expected one text (str) or several; received NoneType"


@pytest.mark.thorough
def test_an_export_is_pinned_to_its_version(tmp_path, monkeypatch, rows):
    model = loading.get("linear_regression", weights=None)
    for _ in range(2):
        helpers.export(model, tmp_path / "prices")
    monkeypatch.chdir(tmp_path)
    assert ScoringSpec.of("prices").model == str(tmp_path / "prices" / "2")
    [batch] = rows.to_batches()
    first, second = (
        pa.Table.from_batches(spark.predict_batches([batch], str(tmp_path / "prices" / version)))
        for version in "12"
    )
    assert first.equals(second)
    assert first["error"].null_count == len(rows)


def test_what_can_not_be_scored_is_one_sentence(tmp_path, regression, rows):
    for arguments, message in [
        (["linear_regression", "carat"], "is a model of tables: leave it out; received 'carat'"),
        (["lstm"], "lstm is a model of texts: say which column holds them, such as column='text'"),
        (["char_lstm", "text"], "received char_lstm, whose task is text-generation"),
        (["gan"], "received gan, whose task is image-generation"),
        ([object()], "expected a model's name, or the path .* received object"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            BatchPredictor(*arguments)
    with pytest.raises(UnknownNameError, match="Did you mean 'linear_regression'"):
        BatchPredictor("linear_regresion")
    with pytest.raises(InvalidInputError, match=r"batch_format='pyarrow' .* received DataFrame"):
        regression(rows.to_pandas())
    with pytest.raises(DataError, match="the table has no column 'carat'"):
        regression(rows.drop_columns("carat"))


def test_a_foreign_export_is_refused(tmp_path):
    version = tmp_path / "foreign" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"has no keras_fm\.json"):
        BatchPredictor(tmp_path / "foreign")


PREDICTIONS = {
    "tabular-regression": [{"value": 1.0}],
    "text-generation": [{"text": "O, Romeo"}],
    "fill-mask": [{"masks": [{"film": 0.6, "plot": 0.1}]}],
    "text-classification": [{"label": "b", "probabilities": {"a": 0.2, "b": 0.8}}],
    "image-classification": [{"label": "b", "probabilities": {"a": 0.2, "b": 0.8}}],
    "tabular-classification": [{"label": "b", "probabilities": {"a": 0.2, "b": 0.8}}],
}


@pytest.mark.parametrize("task", PREDICTIONS)
def test_the_columns_that_are_told_are_those_that_are_made(task):
    columns = prediction_columns(PREDICTIONS[task])
    dtypes = column_dtypes(task_module(task, "codec").CODEC, ["a", "b"])
    made = {
        name: "float32" if getattr(cells, "dtype", None) == np.float32 else "string"
        for name, cells in columns.items()
    }
    assert dtypes == made


def test_every_task_with_an_input_kind_has_its_columns_tested():
    for task in {registry.info(name).task for name in registry.list_models()}:
        assert task in PREDICTIONS or not task_module(task, "codec").CODEC.input_kind


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_readable_inputs_are_predicted_once_in_order(count):
    bad = {0, 1, 17, 63, 99}
    predicted, calls = [], []

    def predict(numbers):
        calls.append(len(numbers))
        if bad & {*numbers}:
            raise InvalidInputError(f"bad: {numbers}")
        predicted.extend(numbers)
        return [{"value": number} for number in numbers]

    predictions, errors = predict_readable(predict, list(range(count)))
    good = [number for number in range(count) if number not in bad]
    assert predicted == good
    assert predictions == [{"value": number} for number in good]
    assert errors == {number: f"bad: [{number}]" for number in sorted(bad) if number < count}
    assert len(calls) <= 50
