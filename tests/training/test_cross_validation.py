"""Ensembles on a user's own table: each member leaves a fold out, which validates it."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import registry
from keras_fm.data import splitting
from keras_fm.errors import DataError, InvalidInputError, SchemaError
from keras_fm.layers.tabular_blocks import LINEAR, MEMBERS
from keras_fm.models import building, linear_models
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.training import checkpoints, jobs, table_comparisons
from keras_fm.training.cross_validation import MemberEarlyStopping, members_by_folds

FIELDS = {"epochs": 2, "passes_per_epoch": 1}


def table(count=60, classes=0, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": random.normal(size=count), "b": random.normal(size=count)})
    frame["kind"] = random.choice(["x", "y", "z"], count)
    value = frame.a * frame.b + frame.a + (frame.kind == "x")
    frame["target"] = (
        [f"class {v}" for v in pd.qcut(value, classes, labels=False)] if classes else value
    )
    frame.loc[3, "a"] = np.nan
    return frame


def job_of(frame, **fields):
    return jobs.training_job(
        registry.find("mlp")[0], data=frame, target="target", problem_type=None, seed=0,
        overrides={**FIELDS, **fields},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    return keras_fm.train("mlp", data=table(), target="target", run_dir=path, verbose=0, **FIELDS)


@pytest.mark.thorough
@pytest.mark.parametrize("classes", [0, 3])
def test_a_member_learns_nothing_from_the_fold_that_it_leaves_out(classes):
    job = job_of(table(classes=classes), folds=4)
    left_out = job.examples.folds == 0
    changed = job.examples.targets.copy()
    changed[left_out] = (changed[left_out] + 1) % 3
    other = dataclasses.replace(job, examples=dataclasses.replace(job.examples, targets=changed))

    def trained(some_job):
        model = jobs.initial_model(job)
        trainer, batches, _ = members_by_folds(model, some_job)
        trainer = job.task.objective.compiled_model(trainer, job.recipe, len(batches))
        trainer.fit(batches.as_dataset(), verbose=0, shuffle=False)
        return [np.array(weights) for weights in trainer.trainable_variables]

    for before, after in zip(trained(job), trained(other), strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        assert not np.array_equal(before[1:], after[1:])


@pytest.mark.parametrize("classes", [0, pytest.param(2, marks=pytest.mark.thorough), 3])
def test_a_member_begins_as_a_linear_model_of_the_other_folds(classes):
    job = job_of(table(classes=classes), folds=3)
    model = jobs.initial_model(job)
    inputs = job.task.data.encode(job.examples).inputs
    layer = model.get_layer(LINEAR)
    features = keras.Model(model.input, layer.input).predict(inputs, verbose=0)
    outputs = keras.Model(model.input, model.get_layer(MEMBERS).output).predict(inputs, verbose=0)
    for fold in range(3):
        learned = job.examples.folds != fold
        y, penalty = job.examples.targets[learned], 1 / learned.sum()
        if classes:
            kernel, bias = linear_models.logistic_regression(features[learned], y, classes, penalty)
            expected = features @ kernel + bias
        else:
            kernel, bias = linear_models.ridge_regression(features[learned], y, penalty)
            expected = (features @ kernel + bias)[:, 0]
            # The penalty is in the unit of the standardized target, the same for the kernel.
        np.testing.assert_allclose(outputs[:, fold], expected, atol=2e-3)


@pytest.mark.parametrize("has_tensorflow", [True, False])
def test_the_linear_models_are_those_of_least_penalized_loss(has_tensorflow, monkeypatch):
    monkeypatch.setattr(linear_models, "has_tensorflow", lambda: has_tensorflow)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 3)), random.normal(size=50)
    kernel, bias = linear_models.ridge_regression(x, y, 0.2)
    error = x @ kernel + bias - y[:, None]
    np.testing.assert_allclose(error.mean(), 0, atol=1e-9)
    np.testing.assert_allclose(x.T @ error / 50 + 0.2 * kernel, 0, atol=1e-9)
    labels = random.integers(0, 3, 50)
    kernel, bias = linear_models.logistic_regression(x, labels, 3, 0.2)
    logits = x @ kernel + bias
    error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - np.eye(3)[labels]
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.T @ error / 50 + 0.2 * kernel, 0, atol=1e-5)


def test_metrics_are_of_members_that_did_not_learn_the_rows(run):
    examples = keras_fm.data.example_files.load_examples(run.path / "validation.npz")
    assert len(examples) == 60
    assert set(examples.folds) == set(range(8))
    inputs = {name: column.tolist() for name, column in examples.inputs.items()}
    task = spec_of(run.model).task
    members = keras.Model(run.model.input, run.model.get_layer(MEMBERS).output)
    by_member = members.predict(task.data.encode(examples).inputs, verbose=0)
    own = by_member[np.arange(60), examples.folds]
    rmse = np.sqrt(np.square(own - examples.targets).mean())
    assert run.metrics["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert keras_fm.evaluate(run.path)["rmse"] == pytest.approx(rmse, rel=1e-5)
    predictions = [row["value"] for row in keras_fm.pipeline(run.path)(inputs)]
    np.testing.assert_allclose(predictions, by_member.mean(axis=1), rtol=1e-5, atol=1e-5)


def test_a_classifier_predicts_the_mean_of_its_members_probabilities():
    rows = table(classes=3).drop(columns="target")
    model = jobs.initial_model(job_of(table(classes=3), folds=3))
    inputs = spec_of(model).task.predictor.preprocess(model, rows)
    members = keras.Model(model.input, model.get_layer(MEMBERS).output)
    expected = np.mean(keras.ops.softmax(members.predict(inputs, verbose=0)), axis=1)
    predictions = keras_fm.pipeline(model)(rows)
    probabilities = [[*prediction["probabilities"].values()] for prediction in predictions]
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.thorough
def test_the_metrics_of_a_classifier_are_those_of_its_evaluation(tmp_path):
    run = keras_fm.train(
        "mlp", data=table(classes=3), target="target", run_dir=tmp_path / "run", verbose=0, **FIELDS
    )
    metrics = keras_fm.evaluate(run.path)
    assert run.metrics == pytest.approx({name: metrics[name] for name in run.metrics})


def test_the_report_says_what_was_validated_and_compared(run):
    report = run.report()
    assert "on all 60 examples, each by the member of the ensemble that did not learn" in report
    assert "(8 folds)" in report
    assert "linear model" in report
    assert run.comparisons["linear model"]["rmse"] < run.baseline["rmse"]
    assert "each member has the weights of its lowest loss" in run.ending


@pytest.mark.thorough
def test_held_out_rows_validate_the_mean_of_the_members(tmp_path):
    run = keras_fm.train(
        "mlp", data=table(), target="target", run_dir=tmp_path / "run", validation_split=0.25,
        verbose=0, **FIELDS,
    )  # fmt: skip
    assert run.num_validation == 15
    assert not run.cross_validated
    assert "on 15 validation examples:" in run.report()
    assert spec_of(run.model).folds == 8
    assert keras_fm.evaluate(run.path)["rmse"] == pytest.approx(run.metrics["rmse"])


CLOCKS = {
    "after each epoch": [0, 0, 6, 6, 12, 12],
    "after the first": [0, 0, 6, 6, 7],
    "after none": [0, 0, 1, 2],
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "written",
    [
        "after the first",
        pytest.param("after each epoch", marks=pytest.mark.by_hand),
        pytest.param("after none", marks=pytest.mark.by_hand),
    ],
)
def test_a_training_that_was_stopped_ends_with_the_same_weights(tmp_path, monkeypatch, written):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    fields = {**FIELDS, "epochs": 3, "folds": 3}
    options = {"data": table(), "target": "target", "verbose": 0}
    whole = keras_fm.train("mlp", run_dir=tmp_path / "whole", **options, **fields)
    stopped = {**options, "run_dir": tmp_path / "stopped"}
    clock = iter(CLOCKS[written])
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "monotonic", lambda: next(clock))
        with pytest.raises(KeyboardInterrupt):
            keras_fm.train("mlp", callbacks=[Stop()], **stopped, **fields)
    files = [path.name for path in (tmp_path / "stopped" / "checkpoints").iterdir()]
    last_epoch = {"after each epoch": 2, "after the first": 1, "after none": 0}[written]
    assert sorted(files) == ["best.npz", *[f"epoch-{last_epoch}.weights.h5"] * bool(last_epoch)]
    resumed = keras_fm.train("mlp", resume=True, **stopped)
    assert resumed.metrics == pytest.approx(whole.metrics)
    for expected, weights in zip(
        whole.model.get_weights(), resumed.model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-7)


class Members(keras.Model):
    """Three members of one weight each, whose losses are made up."""

    def __init__(self, losses):
        super().__init__()
        self.weight = self.add_weight(shape=(3,), initializer="zeros")
        self.losses_of_epochs, self.member_losses = losses, None


@pytest.mark.parametrize(
    ("losses", "weights", "epochs"),
    [
        ([[0.9, 0.9, 0.9], [0.8, 0.8, 0.8], [0.7, 0.7, 0.7]], [3, 3, 3], 3),
        ([[0.9, 0.9, 0.9], [2, 2, 2], [2, 2, 2], [0.1, 0.1, 0.1]], [1, 1, 1], 3),
        ([[1.5, 1.5, 1.5], [1.5, 1.5, 1.5], [0.1, 0.1, 0.1]], [0, 0, 0], 2),
        ([[0.5, 0.9, 0.9], [0.9, 0.5, 0.9]], [1, 2, 1], 2),
        ([[np.nan, 0.9, 0.9], [0.8, 0.8, 0.8]], [2, 2, 2], 2),
        ([[0.2, 1.7, 1.2], [0.6, 1.2, 0.9]], [2, 0, 2], 2),
    ],
    ids=["all-fall", "all-rise", "none-below-the-linear-model", "each-its-own", "nan", "luck"],
)
def test_each_member_ends_with_its_best_weights(tmp_path, losses, weights, epochs):
    model = Members(losses)
    callback = MemberEarlyStopping(tmp_path, patience=2, initial_losses=np.ones(3))
    callback.set_model(model)
    assert callback.restore([])
    callback.on_train_begin()
    model.stop_training, epoch = False, 0
    while epoch < len(losses) and not model.stop_training:
        model.weight.assign(np.full(3, epoch + 1.0))
        model.member_losses = np.array(losses[epoch])
        callback.on_epoch_end(epoch)
        epoch += 1
    callback.on_train_end()
    assert epoch == epochs
    np.testing.assert_array_equal(np.array(model.weight), weights)


def test_a_fold_that_is_easy_has_no_more_say_than_others_in_the_mean_of_all(tmp_path):
    model = Members([])
    callback = MemberEarlyStopping(tmp_path, 2, initial_losses=np.array([0.01, 1, 1]))
    callback.set_model(model)
    callback.on_train_begin()
    model.weight.assign(np.ones(3))
    model.member_losses = np.array([0.05, 0.8, 0.8])  # five times that of its linear model
    callback.on_epoch_end(0)
    callback.on_train_end()
    np.testing.assert_array_equal(np.array(model.weight), [0, 1, 1])


def test_the_best_weights_of_a_stopped_training_are_taken_up(tmp_path):
    losses = [[0.5, 0.9, 0.9], [0.9, 0.5, 0.9], [0.9, 0.9, 0.4]]
    model = Members(losses)
    for epochs, first in [((0, 1), 0), ((2,), 2)]:
        callback = MemberEarlyStopping(tmp_path, patience=3, initial_losses=np.ones(3))
        callback.set_model(model)
        assert callback.restore([{}] * first)
        callback.on_train_begin()
        for epoch in epochs:
            model.weight.assign(np.full(3, epoch + 1.0))
            model.member_losses = np.array(losses[epoch])
            callback.on_epoch_end(epoch)
    callback.on_train_end()
    np.testing.assert_array_equal(np.array(model.weight), [1, 2, 3])


@pytest.mark.parametrize(
    ("count", "folds", "epochs", "passes"),
    [(6, 2, 20, 20), (20, 4, 20, 6), (300, 8, 20, 4), (5_000, 8, 20, 3), (10**6, 8, 3, 1)],
)
def test_a_recipe_is_fitted_to_the_rows(count, folds, epochs, passes):
    task = ModelSpec.of(registry.find("mlp")[0]).task
    fields = task.data.adapt_recipe(count, task.own_data_recipe())
    assert fields["folds"] == folds
    assert fields["epochs"] == epochs
    assert fields["passes_per_epoch"] == passes
    assert fields["validation_examples"] == 0


def test_folds_that_can_not_be_are_refused(tmp_path):
    options = {"data": table(), "target": "target", "run_dir": tmp_path / "run", "verbose": 0}
    with pytest.raises(InvalidInputError, match="linear_regression is none: leave folds out"):
        keras_fm.train("linear_regression", folds=4, epochs=1, **options)
    with pytest.raises(SchemaError, match="expected 0 for none, or from 2 on; received 1"):
        keras_fm.train("mlp", folds=1, **options)
    with pytest.raises(DataError, match="60 different rows can't be divided into 100 folds"):
        keras_fm.train("mlp", folds=100, **options)
    assert not (tmp_path / "run").exists()


def test_a_model_of_before_has_no_folds():
    spec = spec_of(keras_fm.get("mlp"))
    assert spec.folds == 0
    assert "folds" not in spec.to_dict()
    with_folds = dataclasses.replace(spec, folds=3)
    assert ModelSpec.from_dict(spec.package, with_folds.to_dict()) == with_folds
    assert building.build(with_folds).get_layer(MEMBERS).output.shape == (None, 3)


def test_equal_rows_are_in_one_fold_and_classes_in_each():
    examples = keras_fm.data.Examples({"a": np.arange(40) % 20}, np.arange(40) % 20 % 2, "rows")
    folds = splitting.with_folds(examples, 5, 0, regression=False).folds
    np.testing.assert_array_equal(folds[:20], folds[20:])
    for fold in range(5):
        np.testing.assert_array_equal(np.bincount(examples.targets[folds == fold]), [4, 4])


@pytest.mark.parametrize(
    ("metrics", "linear", "trees", "sentence"),
    [
        ({"rmse": 1.0}, {"rmse": 1.02}, {"rmse": 1.5}, ""),
        ({"rmse": 1.0}, {"rmse": 1.005}, {"rmse": 1.5}, "a linear model is as good by rmse"),
        ({"rmse": 1.0}, {"rmse": 0.9}, {"rmse": 0.8},
         "a linear model and gradient boosting are as good by rmse"),
        ({"accuracy": 0.9}, {"accuracy": 0.89}, {"accuracy": 0.9},
         "gradient boosting is as good by accuracy"),
    ],
)  # fmt: skip
def test_what_is_as_good_is_said(metrics, linear, trees, sentence):
    comparisons = {"linear model": linear, "gradient boosting": trees}
    assert table_comparisons.describe_comparisons(metrics, comparisons) == sentence


def test_trees_are_compared_on_the_same_folds(tmp_path):
    pytest.importorskip("sklearn")
    job = job_of(table(count=200, classes=2), folds=2)
    outputs = table_comparisons._boosted_trees(job, job.validation)
    assert outputs.shape == (200, 2)
    assert 0.6 < job.task.objective.score(outputs, job.validation)["accuracy"] < 1
