"""`drift` on exports: logs of TF Serving, files, folders, and what is wrong with them."""

import json
import shutil

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import keras_fm
from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError, KerasFmError
from keras_fm.models import export_files
from keras_fm.sketches import reference_examples
from keras_fm.sketches.sketch import read_file


def rows(**changes):
    """The bundled diamonds, with changed columns."""
    frame = pd.DataFrame(datasets.sample("diamonds").inputs)
    return frame.assign(**{name: change(frame[name]) for name, change in changes.items()})


def images(change=lambda images: images):
    return change(datasets.sample("cifar10").inputs.astype("int16")).clip(0, 255).astype("uint8")


def predict_log(signature="serving_default", **inputs):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "model"
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log.SerializeToString()


def row_logs(frame, batch=16):
    return [
        predict_log(
            **{name: cells.to_numpy() for name, cells in frame[start : start + batch].items()}
        )
        for start in range(0, len(frame), batch)
    ]


def write_log(path, records, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.fixture(scope="module")
def table_export(tmp_path_factory):
    base = tmp_path_factory.mktemp("exports") / "prices"
    helpers.export("linear_regression", base, sketch=True)
    return base


@pytest.fixture(scope="module")
def image_export(small_version):
    return small_version.parent


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame", "columns", "gzip", "folder"])
def test_rows_of_each_kind_are_compared(kind, table_export, tmp_path):
    frame = rows(carat=lambda carat: carat * 1.5)
    path = tmp_path / f"requests.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    elif kind == "frame":
        path = frame
    elif kind == "columns":
        path = {name: cells.to_numpy() for name, cells in frame.items()}
    elif kind == "folder":
        (path / "day").mkdir(parents=True)
        for part in (0, 1):
            write_log(path / "day" / f"log-{part}", row_logs(frame[part::2]))
    else:
        write_log(path, row_logs(frame), "GZIP")
    report = keras_fm.drift(table_export, path)
    assert report.num_requests == 256
    assert [feature.name for feature in report.moved] == ["carat", "predicted value"]
    assert report.features[0].requests == pytest.approx(1.5 * report.features[0].reference)
    assert report.notes == ()


def test_the_same_rows_did_not_move(table_export, tmp_path):
    report = keras_fm.drift(table_export, write_log(tmp_path / "log", row_logs(rows())))
    assert report.summary == "nothing moved"
    assert max(feature.psi for feature in report.features) < 1e-6
    assert {feature.role for feature in report.features} == {"input", "output"}
    assert report.source == "bundled sample of 256 diamonds test examples"


@pytest.mark.parametrize(
    "signature",
    [
        "serving_default",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("serve_bytes", "pixels", "files", "array")
        ),
    ],
)
def test_images_of_each_signature_are_compared(signature, image_export, tmp_path):
    brighter = images(lambda images: images + 60)
    if signature == "serving_default":
        data = write_log(tmp_path / "log", [predict_log(image=part) for part in brighter[:, None]])
    elif signature == "array":
        data = brighter
    elif signature == "pixels":
        floats = brighter.astype("float32")
        data = write_log(tmp_path / "log", [predict_log(signature, image=floats)])
    elif signature == "serve_bytes":
        files = [helpers.encode(image) for image in brighter]
        data = write_log(tmp_path / "log", [predict_log(signature, image_bytes=files)])
    else:
        data = tmp_path / "photos"
        data.mkdir()
        for index, image in enumerate(brighter):
            (data / f"{index}.png").write_bytes(helpers.encode(image))
    report = keras_fm.drift(image_export, data)
    assert report.num_requests == 256
    assert report.features[0].name == "brightness"
    assert report.features[0].verdict == "large"
    sizes = [x for x in report.features if x.name in ("width", "height", "aspect ratio")]
    assert [x.verdict for x in sizes] == ["none"] * 3


@pytest.mark.thorough
def test_larger_photos_are_found(image_export, tmp_path):
    large = images().repeat(3, axis=1).repeat(2, axis=2)
    report = keras_fm.drift(image_export, write_log(tmp_path / "a", [predict_log(image=large)]))
    assert {"width", "height", "aspect ratio"} <= {feature.name for feature in report.moved}


@pytest.mark.thorough
def test_other_predicted_classes_are_found(tmp_path):
    # Pretrained: the few classes that a short training predicts depend on the CPU.
    export = tmp_path / "exports"
    helpers.export("cifar_cnn_basic", export, sketch=True)
    predictions = keras_fm.pipeline(export)(images())
    labels = pd.Series([prediction["label"] for prediction in predictions])
    counts = labels.value_counts()
    assert len(counts) > 5
    of_class = images()[labels == counts.index[0]]
    log = write_log(tmp_path / "log", [predict_log(image=of_class)] * 5)
    moved = {feature.name: feature for feature in keras_fm.drift(export, log).moved}
    assert moved["predicted class"].requests == pytest.approx(1, abs=0.1)
    assert f"{counts.index[0]} " in moved["predicted class"].change


def test_what_else_is_in_a_log_is_counted(table_export, tmp_path):
    others = prediction_log_pb2.PredictionLog()
    others.regress_log.request.model_spec.name = "model"
    records = row_logs(rows())
    bad = rows().head(3).assign(carat=[1.0, np.inf, 2.0]).astype({"carat": "float32"})
    records[1:1] = [b"\xff\xff", others.SerializeToString(), b"", *row_logs(bad)]
    records.append(predict_log("token_ids", text_ids=np.zeros((1, 2), "int32")))
    report = keras_fm.drift(table_export, write_log(tmp_path / "log", records))
    assert report.num_requests == 258
    broken, other, unreadable = report.notes
    assert broken.startswith("2 of 21 records are broken and left out, the first one: record 2 of ")
    assert "1 of regress_log" in other
    assert "1 of predict_log, signature token_ids" in other
    assert unreadable.startswith("1 of 259 inputs can't be read and is left out, the first one: ")
    assert "record 5 of " in unreadable


def test_a_log_that_is_cut_is_read_to_its_end(table_export, tmp_path):
    path = write_log(tmp_path / "log", row_logs(rows(), 8))
    path.write_bytes(path.read_bytes()[:-200])
    report = keras_fm.drift(table_export, path)
    assert report.num_requests == 248
    assert "cut or altered; what follows it in the file can't be read" in report.notes[0]


@pytest.mark.thorough
def test_texts_are_compared(tiny_reader, tmp_path):
    model = keras_fm.get("tiny_reader", weights=None)
    base = tmp_path / "exports"
    helpers.export(model, base, sketch=True)
    texts = datasets.sample("imdb_reviews").inputs
    same = keras_fm.drift(base, write_log(tmp_path / "a", [predict_log(text=list(texts))]))
    assert same.summary == "nothing moved"
    shorter = [text[: len(text) // 3] for text in texts]
    report = keras_fm.drift(base, write_log(tmp_path / "b", [predict_log(text=shorter)]))
    assert {report.features[0].name, report.features[1].name} == {"characters", "tokens"}
    unknown = [b" ".join([b"zzxqy"] * len(text.split())) for text in texts]
    pd.DataFrame({"body": [text.decode() for text in unknown]}).to_csv(tmp_path / "c.csv")
    report = keras_fm.drift(base, tmp_path / "c.csv", text="body")
    assert "unknown tokens" in {feature.name for feature in report.moved}


def test_other_data_can_be_the_reference(table_export, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree(table_export, plain)
    (plain / "1" / export_files.SKETCH).unlink()
    with pytest.raises(InvalidInputError, match="has no sketch of its training inputs: export the"):
        keras_fm.drift(plain, rows())
    report = keras_fm.drift(plain, rows(x=lambda x: x + 3), reference=rows())
    assert {feature.name for feature in report.moved} >= {"x", "predicted value"}


BAD_DATA = {
    "empty.tfrecord": (b"", "is empty: expected"),
    "empty": (b"", "is empty: expected requests"),
    "text.tfrecord": (b"carat,cut\n" * 9, "is no TFRecord file: expected a request log"),
    "other.csv": (b"a,b\n" + b"1,2\n" * 150, "no column 'carat'"),
    "cells.csv": (b"a,b\n1,2\n", "none of the inputs can be read: no column 'carat'"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_holds_no_request_is_an_error(name, table_export, tmp_path):
    content, message = BAD_DATA[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KerasFmError, match=message):
        keras_fm.drift(table_export, tmp_path / name)


def test_logs_of_other_requests_alone_are_an_error(table_export, image_export, tmp_path):
    log = write_log(tmp_path / "log", row_logs(rows()))
    with pytest.raises(DataError, match=r"holds no request .* signature serving_default"):
        keras_fm.drift(image_export, log)
    rows().to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"expected request logs alone; received .*rows\.csv"):
        keras_fm.drift(table_export, [log, tmp_path / "rows.csv"])
    with pytest.raises(DataError, match="is empty: expected requests"):
        keras_fm.drift(table_export, write_log(tmp_path / "empty", []))


def test_what_is_no_export_is_an_error(tmp_path, small_run):
    for path, message in [
        (tmp_path / "gone", "expected an export: there is no folder"),
        (tmp_path, "holds no SavedModel"),
        (small_run.path, "holds no SavedModel"),
        (3, "expected the path of an export; received int"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            keras_fm.drift(path, rows())


def test_the_command_writes_reports_and_fails_above(table_export, tmp_path, capsys):
    moved, same = tmp_path / "moved.csv", tmp_path / "same.csv"
    rows(carat=lambda carat: carat * 1.5).to_csv(moved, index=False)
    rows().to_csv(same, index=False)
    arguments = ["drift", str(table_export)]
    assert cli.main([*arguments, str(moved), "--out", str(tmp_path / "r.html")]) == 0
    assert "2 features moved: carat (large" in capsys.readouterr().out
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<svg") == 10
    assert "http" not in page
    assert cli.main([*arguments, str(moved), "--fail-above", "0.25"]) == 1
    assert cli.main([*arguments, str(moved), "--fail-above", "9"]) == 0
    assert cli.main([*arguments, str(same), "--fail-above", "0.25", "--json"]) == 0
    capsys.readouterr()
    assert cli.main([*arguments, str(moved), "--json", "--out", str(tmp_path / "r.json")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert printed["features"][0]["verdict"] == "large"
    for wrong, message in [
        (["gone.csv"], "there is no file or folder gone.csv"),
        ([str(same), "--out", "r.pdf"], "expected a report that ends in .html or .json"),
        ([str(same), "--fail-above", "-1"], "fail_above is a number from 0.0"),
    ]:
        assert cli.main([*arguments, *wrong]) == 2
        assert message in capsys.readouterr().err


def test_info_says_that_there_is_a_sketch(table_export, capsys):
    assert cli.main(["info", str(table_export)]) == 0
    assert "11 features of bundled sample of 256 diamonds test examples" in capsys.readouterr().out
    assert cli.main(["info", str(table_export), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["has_sketch"] is True


@pytest.mark.thorough
def test_a_run_on_own_data_has_a_sketch_of_what_validated_it(tmp_path, capsys):
    sample = datasets.sample("cifar10")
    flies = ["flies" if target in (0, 2) else "stays" for target in sample.targets]
    options = {"strategy": "head", "epochs": 1, "run_dir": tmp_path / "run"}
    run = keras_fm.fine_tune("cifar_cnn_basic", (sample.inputs, flies), **options)
    sketch = read_file(helpers.export(run.path, tmp_path / "a", sketch=True))
    assert sketch.num_examples == 256 // 5
    assert "held out" in sketch.source
    assert not any("width" in name for name in sketch.features)
    # The model of the run knows where it comes from, as long as that is there.
    assert read_file(helpers.export(run.model, tmp_path / "b", sketch=True)) == sketch
    shutil.rmtree(run.path)
    capsys.readouterr()
    assert read_file(helpers.export(run.model, tmp_path / "c", sketch=True)) is None
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("no sketch of the training inputs was made")


def test_a_broken_reference_keeps_no_export_back(table_export, tmp_path, monkeypatch):
    def raise_error(*_):
        raise DataError("gone")

    monkeypatch.setattr(reference_examples, "_of_zoo", raise_error)
    assert read_file(helpers.export("linear_regression", tmp_path, sketch=True)) is None


def test_generators_have_no_sketch(tiny_gan, tmp_path):
    version = helpers.export(keras_fm.get("tiny_gan", weights=None), tmp_path, sketch=True)
    assert read_file(version) is None
    with pytest.raises(InvalidInputError, match="export of a classifier or a regression"):
        keras_fm.drift(tmp_path, ["a"], reference=["a"])
