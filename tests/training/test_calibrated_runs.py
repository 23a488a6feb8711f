import helpers
import numpy as np
import pandas as pd
import pytest

from keras_fm import pipelines
from keras_fm.batch_prediction.columns import prediction_columns
from keras_fm.calibration.calibration import load_calibration
from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError, RunError
from keras_fm.models import loading
from keras_fm.models.spec import spec_of
from keras_fm.training import fine_tuning, runs, training

FIRST = slice(2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A calibrated run."""
    return helpers.train_small(tmp_path_factory.mktemp("runs") / "calibrated", coverage=0.8)


def test_a_run_keeps_its_calibration(run, tmp_path):
    calibration = load_calibration(run.path / "calibration.json")
    assert calibration == spec_of(run.model).calibration
    assert calibration == spec_of(runs.load_run(run.path).model).calibration
    assert (calibration.coverage, calibration.num_examples) == (0.8, 28)
    run.model.save(tmp_path / "mine.keras")
    assert spec_of(loading.get(tmp_path / "mine.keras")).calibration == calibration
    report = run.report()
    assert "by 28 and thresholds for a coverage of 0.8 by 28 other examples of" in report
    assert "the expected calibration error (15 bins) is" in report
    images = datasets.sample("cifar10").inputs[FIRST]
    predictions = pipelines.pipeline(run.path)(images)
    assert set(predictions[0]) == {
        "label", "probabilities", "calibrated_probabilities", "prediction_set", "in_distribution",
    }  # fmt: skip
    columns = prediction_columns(predictions)
    assert columns["in_distribution"][0] in ("true", "false")
    assert columns["prediction_set"][0].startswith(f'["{predictions[0]["label"]}"')
    assert pipelines.pipeline(run.path, top_k=1)(images)[0][0].keys() == {"label", "score"}


def test_a_run_is_not_calibrated_where_nobody_asks(small_run):
    assert spec_of(small_run.model).calibration is None
    assert not (small_run.path / "calibration.json").exists()
    assert not small_run.calibration


def test_a_resumed_run_keeps_its_coverage(tiny_net, uninterrupted_and_resumed, tmp_path):
    uninterrupted, resumed = uninterrupted_and_resumed("tiny_net", 0, coverage=0.7)
    assert spec_of(resumed.model).calibration.coverage == 0.7
    assert spec_of(resumed.model).calibration == spec_of(uninterrupted.model).calibration


@pytest.mark.parametrize("options", [{"coverage": 0.7}, {"coverage": 0.9}])
def test_a_resumed_run_has_no_other_coverage(tiny_net, stop_at, tmp_path, options):
    start = {"coverage": 0.8} if options["coverage"] == 0.7 else {}
    path = tmp_path / "stopped"
    stop_at(0)
    with pytest.raises(KeyboardInterrupt):
        training.train("tiny_net", data="sample", run_dir=path, verbose=0, **start)
    with pytest.raises(RunError, match="a resumed training keeps it"):
        training.train("tiny_net", data="sample", run_dir=path, resume=True, **options)


@pytest.mark.parametrize("options", helpers.first([{"calibrate": True, "coverage": 0.5}, {}], 1))
def test_a_fine_tuned_run_has_no_calibration_but_its_own(run, tmp_path, options):
    noise = helpers.noise(60, classes=2)
    tuned = fine_tuning.fine_tune(
        run.path,
        (noise.inputs, np.where(noise.targets, "odd", "even")),
        strategy="head",
        epochs=1,
        run_dir=tmp_path / "tuned",
        verbose=0,
        **options,
    )
    calibration = spec_of(tuned.model).calibration
    assert (calibration is None) == (not options)
    if options:
        assert calibration.data == "arrays of 60 examples, 12 held out"
        names = pipelines.pipeline(tuned.path)(noise.inputs[:1])[0]["calibrated_probabilities"]
        assert set(names) == {"odd", "even"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["linear_regression", "mlp"])
def test_rows_far_from_those_of_the_training_are_unlike(tmp_path, name):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(120, 3)), columns=["a", "b", "c"])
    frame["kind"] = np.where(frame["a"] + frame["b"] > 0, "x", "y")
    run = training.train(
        name, data=frame, target="kind", epochs=1, coverage=0.9, run_dir=tmp_path / "run", verbose=0
    )
    classify = pipelines.pipeline(run.path)
    near, far = (
        np.mean([row["in_distribution"] for row in classify(rows.drop(columns="kind"))])
        for rows in (frame, frame.assign(a=1000.0, b=1000.0))
    )
    assert near > 0.75
    assert far < 0.1
    assert ("did not learn from an example" in run.report()) == (name == "mlp")


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        ("a", {}, InvalidInputError, r"for classifiers; received linear_regression \(tabular-"),
        ("kind", {"coverage": 0.99}, DataError, "needs 198 held-out examples or more, .* received"),
        ("kind", {"validation_examples": 0}, InvalidInputError, "none validates"),
    ],
)
def test_what_can_not_be_calibrated_is_not_trained(tmp_path, target, options, error, message):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(60, 3)), columns=["a", "b", "c"])
    frame["kind"] = np.where(frame["a"] + random.normal(size=60) > 0, "x", "y")
    with pytest.raises(error, match=message):
        training.train(
            "linear_regression",
            data=frame,
            target=target,
            calibrate=True,
            run_dir=tmp_path / "run",
            verbose=0,
            **options,
        )
    assert not (tmp_path / "run").exists()
