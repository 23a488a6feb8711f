import json

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import cli, pipelines
from keras_fm.calibration.calibration import load_calibration
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation.calibrating import calibrated_model
from keras_fm.exporting import saved_model
from keras_fm.exporting.arguments import check_export
from keras_fm.exporting.checks import serve_check
from keras_fm.models import loading
from keras_fm.models.spec import spec_of
from keras_fm.serving.codec import decode_classes, format_classes
from keras_fm.training import training

OLD = {"label", "logits", "probabilities"}
NEW = {
    "calibrated_probabilities": (tf.float32, 2),
    "prediction_set": (tf.bool, 2),
    "in_distribution": (tf.bool, 1),
    "in_distribution_score": (tf.float32, 1),
}


def image_model():
    examples = helpers.noise(60, classes=10)
    return loading.get("tiny_net", weights=None), examples, examples.inputs[:7]


def text_model():
    texts = [f"a {'good' if index % 3 else 'bad'} film" + " of it" * index for index in range(60)]
    examples = Examples([text.encode() for text in texts], np.arange(60) % 2, "texts")
    return loading.get("small_lstm", weights=None), examples, texts[:7]


def table_model(folder):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=80), "age": random.normal(size=80)})
    frame["kind"] = np.where(frame["size"] + random.normal(size=80) > 0, "big", "small")
    run = training.train(
        "linear_regression", data=frame, target="kind", epochs=1, run_dir=folder, verbose=0
    )
    return run.model, frame, frame.drop(columns="kind")[:7]


@pytest.fixture(params=helpers.first(["image", "text", "table"], 1))
def calibrated(request, tmp_path):
    """A calibrated classifier, its raw inputs, and the same without a calibration."""
    if request.param == "table":
        model, data, inputs = table_model(tmp_path / "run")
        user_data = UserData(data, target="kind")
    else:
        install = request.getfixturevalue("install")
        site = install({name: f"their_zoo.{name}" for name in ("tiny_net", "small_lstm")})
        helpers.write_tiny_package(site / "tiny_net")
        # One that masks the padding, which is another in an export.
        helpers.write_small_package(site / "small_lstm", "lstm", 300, units=4, width=4)
        model, data, inputs = {"image": image_model, "text": text_model}[request.param]()
        user_data = UserData(data)
    return calibrated_model(model, model, 0.8, user_data), inputs, model


def test_an_export_says_the_same_as_the_model(calibrated, tmp_path):
    model, inputs, plain = calibrated
    version = helpers.export(model, tmp_path / "x")
    expected = pipelines.pipeline(model)(inputs)
    predictions = pipelines.pipeline(version)(inputs)
    assert len(predictions) == 7
    for prediction, other in zip(predictions, expected, strict=True):
        assert set(prediction) == set(other)
        assert prediction["prediction_set"] == other["prediction_set"]
        assert prediction["in_distribution"] is other["in_distribution"]
        scores, others = (item["calibrated_probabilities"] for item in (prediction, other))
        assert scores == pytest.approx(others, abs=1e-5)
        assert prediction["label"] == prediction["prediction_set"][0]
    loaded = tf.saved_model.load(str(version)).signatures["serving_default"].structured_outputs
    assert set(loaded) >= OLD | set(NEW)
    assert {name: (loaded[name].dtype, loaded[name].shape.rank) for name in NEW} == NEW
    assert serve_check(version).passed
    calibration = spec_of(model).calibration
    assert load_calibration(version / "assets.extra" / "calibration.json") == calibration
    info = json.loads((version / "keras_fm.json").read_text())
    assert info["calibration"]["coverage"] == 0.8
    assert [{name: p[name] for name in ("label", "probabilities")} for p in expected] == (
        pipelines.pipeline(plain)(inputs)
    )


def test_the_other_outputs_stay_as_they_are(tiny_net, tmp_path):
    plain, examples, inputs = image_model()
    model = calibrated_model(plain, plain, 0.8, UserData(examples))
    versions = [
        helpers.export(plain, tmp_path / "plain"),
        helpers.export(model, tmp_path / "calibrated"),
        helpers.export(model, tmp_path / "without", calibrate=False),
    ]
    before, after, without = (
        tf.saved_model.load(str(version)).signatures["serving_default"](image=tf.constant(inputs))
        for version in versions
    )
    assert set(before) == set(without) == OLD
    for name, value in before.items():
        assert after[name].numpy().tolist() == value.numpy().tolist()


def test_an_export_is_calibrated_on_what_validated_the_run(small_run, tmp_path):
    version = helpers.export(small_run.path, tmp_path / "x", coverage=0.7)
    calibration = load_calibration(version / "assets.extra" / "calibration.json")
    assert (calibration.num_temperature_examples, calibration.num_examples) == (28, 28)
    assert "last 56" in calibration.data
    with pytest.raises(DataError, match=r"coverage 0\.99 needs 198 held-out examples or more"):
        saved_model.export(small_run.path, tmp_path / "y", coverage=0.99)
    with pytest.raises(DataError, match="calibration_data="):
        saved_model.export(small_run.model, tmp_path / "y", calibrate=True)


def test_a_user_names_the_examples(tmp_path):
    sample = datasets.sample("cifar10")
    version = helpers.export("cifar_cnn_basic", tmp_path / "x", calibration_data=sample)
    calibration = load_calibration(version / "assets.extra" / "calibration.json")
    assert (calibration.coverage, calibration.num_examples) == (0.9, 128)
    assert calibration.data == sample.description


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cifar_cnn", {"coverage": 1.2}, "above 0 and below 1, such as 0.9; received 1.2"),
        ("cifar_cnn", {"calibrate": False, "coverage": 0.9}, "leave out calibrate=False"),
        ("cifar_cnn", {"calibrate": False, "calibration_data": "x"}, "leave out calibrate=False"),
        ("cifar_cnn", {"text": "body"}, "columns of calibration_data"),
        ("mlp", {"calibrate": True}, "for classifiers; received mlp"),
        ("gan", {"calibrate": True}, "for classifiers; received gan"),
        ("mini_bert.mlm", {"coverage": 0.9}, "for classifiers; received mini_bert"),
    ],
)
def test_what_can_not_be_calibrated_is_one_sentence(tmp_path, name, options, message):
    with pytest.raises(InvalidInputError, match=message):
        check_export(name, tmp_path, **options)


@pytest.mark.parametrize(
    "words",
    [
        ["export", "gan", "x", "--calibrate"],
        ["export", "cifar_cnn", "x", "--coverage", "1.2"],
        ["export", "--all", "x", "--calibrate"],
        ["train", "gan", "--calibrate"],
        ["fine-tune", "cifar_cnn", "photos", "--coverage", "0"],
        ["evaluate", "mlp", "--calibration"],
    ],
)
def test_the_command_line_says_so_too(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "calibrat" in error or "coverage is" in error


def test_a_server_that_names_no_class_has_numbers_in_its_sets():
    response = {
        "label": np.array([b"cat"], object),
        "logits": np.array([[0.1, 2.0, 1.0]]),
        "probabilities": np.array([[0.1, 0.6, 0.3]]),
        "calibrated_probabilities": np.array([[0.2, 0.5, 0.3]]),
        "prediction_set": np.array([[False, True, True]]),
        "in_distribution": np.array([False]),
    }
    [prediction] = decode_classes({}, response, lambda _: None)
    assert prediction == {
        "label": "cat",
        "probabilities": {"cat": 0.6},
        "calibrated_probabilities": {"cat": 0.5},
        "prediction_set": ["cat", 2],
        "in_distribution": False,
    }
    line = format_classes("a.jpg", prediction, 3)
    assert line.endswith(
        "(calibrated: cat 50.0%; set: cat, 2; unlike the data it was calibrated on)"
    )
