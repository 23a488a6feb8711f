"""User data in tables: CSV files, data frames and arrays."""

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_table
from keras_fm.errors import DataError, InvalidInputError, RunError
from keras_fm.evaluation import evaluation
from keras_fm.models import run_files
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.preprocessing.tables.columns import plain_names
from keras_fm.training import jobs, runs, training

NAN = float("nan")

# The table below has a row without a rating.
pytestmark = pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")


@pytest.fixture
def csv_file(tmp_path):
    """A table that is sorted by its classes, with missing cells, an ID and a constant column."""
    random = np.random.default_rng(0)
    lines = ["id,mean size,a/b,member,country,rating"]
    for number in range(300):
        good = number >= 100
        size = random.normal(2.0 if good else -2.0)
        category = random.choice(["x", "y"] if good else ["y", "z"])
        cells = [f"C{number}", f"{size:.3f}", category, str(good ^ (number % 5 == 0)), "FR"]
        cells[1 + number % 2] = "" if number % 10 < 2 else cells[1 + number % 2]
        lines.append(",".join([*cells, "good" if good else "bad"]))
    lines.append("C300,1.0,x,True,FR,")
    file = tmp_path / "ratings.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def train_on(data, path, model="linear_regression", **options):
    learning_rate = {"learning_rate": 0.1} if model == "linear_regression" else {}
    options = {"target": "rating", "epochs": 3, **learning_rate, **options}
    return training.train(model, data=data, run_dir=path, **options)


@pytest.mark.parametrize(
    "model", ["linear_regression", pytest.param("mlp", marks=pytest.mark.thorough)]
)
def test_a_model_is_trained_on_a_table_of_user_data(csv_file, tmp_path, model):
    run = train_on(csv_file, tmp_path / "run", model)
    info = run_files.read_run(run.path)
    assert info["task"] == "tabular-classification"
    assert info["labels"] == ["bad", "good"]
    assert [column["name"] for column in info["inputs"]] == ["mean size", "a/b", "member"]
    assert info["inputs"][1]["categories"] == ["x", "y", "z"]
    assert run.metrics["accuracy"] > 0.9 > 0.75 > run.baseline["accuracy"] > 0.5
    report = run.report()
    for text in ("'id' was left out", "'country' was left out", "has no 'rating' and is left",
                 f"{run.metrics['auc']:.4f}", "0.5000", "majority-class baseline"):  # fmt: skip
        assert text in report

    model = runs.load_run(run.path).model
    row = {"mean size": 2.5, "a/b": "unknown", "member": None}
    (prediction,) = pipelines.pipeline(model)(row)
    assert prediction["label"] == "good"
    assert evaluation.evaluate(model, data=csv_file)["accuracy"] > 0.9
    with pytest.raises(DataError, match="was trained on other data than diamonds"):
        evaluation.evaluate(model)

    version = helpers.export(run.path, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    outputs = served(
        mean_size=tf.constant([2.5]), a_b=tf.constant(["unknown"]), member=tf.constant([NAN])
    )
    assert outputs["label"].numpy() == [b"good"]


@pytest.mark.thorough
def test_a_numeric_target_is_a_regression(csv_file, tmp_path):
    run = train_on(csv_file, tmp_path / "run", target="mean size")
    assert run_files.read_run(run.path)["task"] == "tabular-regression"
    assert run.metrics["rmse"] < 0.7 * run.baseline["rmse"]
    assert run.baseline["r2"] == pytest.approx(0, abs=0.1)


def test_the_seed_shuffles_the_rows(csv_file):
    shuffled, same, other = (
        load_table(UserData(csv_file, target="rating"), seed=seed).examples for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(shuffled.targets, same.targets)
    assert not np.array_equal(shuffled.targets, other.targets)
    is_bad = shuffled.inputs["mean size"] < 0
    assert (shuffled.targets == ~is_bad)[~np.isnan(shuffled.inputs["mean size"])].mean() > 0.95


@pytest.mark.thorough
def test_a_training_on_a_table_can_be_resumed(csv_file, tmp_path, stop_at):
    run = train_on(csv_file, tmp_path / "run")
    stop_at(1)
    with pytest.raises(KeyboardInterrupt, match=r"--target rating .*--resume"):
        train_on(str(csv_file), tmp_path / "stopped")
    stop_at(None)
    resumed = training.train(
        "linear_regression",
        data=str(csv_file),
        target="rating",
        run_dir=tmp_path / "stopped",
        resume=True,
    )
    for a, b in zip(run.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": None}, InvalidInputError, "which column"),
        ({"target": "ratings"}, DataError, "no column 'ratings'.*'rating'"),
        ({"problem_type": "ranking"}, InvalidInputError, "'ranking'"),
        ({"problem_type": "regression"}, DataError, "expected numbers in 'rating'; received"),
        ({"target": "country"}, DataError, "every example has the class 'FR'"),
        ({"data": "nowhere.csv"}, DataError, r"there is no file nowhere\.csv"),
        ({"data": None}, InvalidInputError, "for a CSV file"),
        ({"data": "sample"}, InvalidInputError, "for a CSV file"),
        ({"data": 3, "target": None}, DataError, "received 3"),
    ],
)
def test_invalid_data_or_options_are_named_and_leave_nothing(
    csv_file, tmp_path, options, error, message
):
    options = {"data": csv_file, "target": "rating", **options}
    with pytest.raises(error, match=message):
        training.train("linear_regression", run_dir=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_image_classifier_takes_no_table(csv_file, tmp_path, small_run):
    with pytest.raises(InvalidInputError, match="target and problem_type are for a CSV file"):
        training.train("cifar_cnn_basic", data=csv_file, target="rating", run_dir=tmp_path / "run")
    with pytest.raises(DataError, match=r"ratings\.csv is a file; expected a folder"):
        evaluation.evaluate(small_run.model, data=csv_file)


def test_a_run_can_not_be_resumed_on_another_table(csv_file, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_on(csv_file, tmp_path / "run")
    csv_file.write_text(csv_file.read_text().replace(",z,", ",zz,"))
    with pytest.raises(RunError, match="other columns or classes"):
        training.train(
            "linear_regression",
            data=csv_file,
            target="rating",
            run_dir=tmp_path / "run",
            resume=True,
        )


@pytest.mark.parametrize(
    "has_missing",
    [False, pytest.param(True, marks=pytest.mark.thorough)],
    ids=["codes", "missing"],
)
def test_predictions_for_a_file_are_those_for_its_rows(tmp_path, has_missing):
    codes = ["1", "2", "x"] if has_missing else ["01", "02", "A"]
    random = np.random.default_rng(0)
    code = random.choice(codes, 200)
    frame = pd.DataFrame({"code": code, "x": random.normal(size=200),
                          "t": np.where(code == codes[0], "yes", "no")})  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = train_on(tmp_path / "t.csv", tmp_path / "run", target="t").model
    rows = [{"code": code, "x": 0.0} for code in [*codes[:2], *[""] * has_missing]]
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "p.csv", index=False)
    predict = pipelines.pipeline(model)
    predictions = predict(rows)
    assert [prediction["label"] for prediction in predictions[:2]] == ["yes", "no"]
    assert predict(str(tmp_path / "p.csv")) == predict(frame) == predictions
    frame["t"] = [prediction["label"] for prediction in predictions]
    frame.to_csv(tmp_path / "q.csv", index=False)
    for data in (tmp_path / "q.csv", frame):
        assert evaluation.evaluate(model, data=data)["accuracy"] == 1.0


@pytest.mark.thorough
def test_a_training_takes_data_frames_and_arrays(tmp_path):
    random = np.random.default_rng(0)
    columns = {"m": random.normal(size=80), 7: random.choice(["u", "v"], 80)}
    targets = np.where(columns["m"] > 0, "yes", "no")
    frame = pd.DataFrame({**columns, "t": targets})
    run = train_on(frame, tmp_path / "frame", target="t", epochs=1)
    assert [column["name"] for column in run_files.read_run(run.path)["inputs"]] == ["m", "7"]
    assert len(pipelines.pipeline(run.model)(frame)) == 80
    pairs = ({"m": columns["m"]}, targets)
    run = train_on(pairs, tmp_path / "arrays", target=None, epochs=1)
    assert run_files.read_run(run.path)["labels"] == ["no", "yes"]


def training_job(data, target=None, problem_type=None, seed=0, **overrides):
    """Return the job of a training of linear_regression."""
    package, _ = registry.find("linear_regression")
    return jobs.training_job(
        package,
        data=data,
        target=target,
        problem_type=problem_type,
        seed=seed,
        overrides=overrides,
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_validation_split_is_stratified(seed):
    frame = pd.DataFrame({"m": range(100), "t": ["bad"] * 5 + ["good"] * 95})
    job = training_job(frame, "t", seed=seed)
    assert np.bincount(job.validation.targets).tolist() == [1, 19]
    assert np.bincount(job.examples.targets).tolist() == [4, 76]
    assert "80 to train on" in job.examples.description
    job = training_job(frame, "m", "regression", seed)
    assert len(job.validation) == 20
    assert np.histogram(job.validation.targets, bins=[0, 50, 100])[0].tolist() == [10, 10]


def test_the_last_examples_of_the_recipes_data_validate():
    sample = datasets.sample("diamonds")
    for data in ("sample", sample):
        job = training_job(data, validation_examples=56)
        np.testing.assert_array_equal(job.validation.targets, sample.targets[-56:])


def test_auc_is_the_fraction_of_pairs_that_are_ranked_right():
    frame = pd.DataFrame({"a": range(8), "t": [*"nnnnyyyy"]})
    task = ModelSpec.of(registry.find("linear_regression")[0]).task
    spec, examples, _ = task.data.load_user_data(UserData(frame, target="t"), seed=0)
    task = spec.task
    order = np.argsort(examples.inputs["a"])
    probabilities = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.7, 0.9, 0.95])
    logits = np.log(np.stack([1 - probabilities, probabilities], axis=1))
    examples = examples.subset(order, "in order")
    # Of 16 pairs 0.4 ranks behind 0.8 and equal to 0.4, 0.7 behind 0.8; the others are right.
    assert task.objective.score(logits, examples)["auc"] == pytest.approx((16 - 1 - 0.5 - 1) / 16)
    assert "auc" not in task.objective.score(logits[:4], examples.subset(slice(4), "one class"))
    assert task.objective.baseline(examples, examples) == {"accuracy": 0.5, "auc": 0.5}


@pytest.mark.parametrize(("name", "min_accuracy"), [("breast_cancer", 0.9), ("wine", 0.85)])
def test_tables_of_scikit_learn(tmp_path, name, min_accuracy):
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.assign(target=bunch.target_names[bunch.target])
    shuffled = frame.sample(frac=1, random_state=0)
    train, test = shuffled[:-40], shuffled[-40:]
    run = training.train("mlp", data=train, target="target", epochs=10, run_dir=tmp_path / "run")
    scores = evaluation.evaluate(run.model, data=test, target="target")
    assert scores["accuracy"] > min_accuracy > 0.75 > run.baseline["accuracy"]
    assert ("auc" in scores) == (name == "breast_cancer")
    (prediction,) = pipelines.pipeline(run.model)(test.drop(columns="target")[:1])
    assert set(prediction["probabilities"]) == set(bunch.target_names)
    version = helpers.export(run.model, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    columns = {
        name: tf.constant(cells, tf.float32) for name, cells in served_inputs(run, test).items()
    }
    labels = served(**columns)["label"].numpy()
    assert (labels == test["target"].to_numpy().astype(bytes)).mean() == scores["accuracy"]


def served_inputs(run, frame):
    """The columns of a frame by the names of a served model's inputs."""
    names = plain_names(spec_of(run.model).inputs)
    return {sanitized: frame[name] for name, sanitized in names.items()}
