"""The objectives of tables: losses, metrics and baselines against numbers worked out by hand."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks import pictures
from keras_fm.tasks.tabular_classification.objective import roc_auc

VALUES = np.array([1.0, 10.0, 100.0])
TARGETS = np.array([10.0, 10.0, 10.0, 1000.0])


def spec_of(*, log=True, labels=()):
    """The specification of a model of diamonds, with this target."""
    spec = ModelSpec.of(registry.find("linear_regression")[0])
    if labels:
        return replace(spec, task_name="tabular-classification", labels=labels, target=None)
    return replace(spec, target=msgspec.structs.replace(spec.target, log=log))


def examples(targets):
    rows = datasets.sample("diamonds").subset(slice(len(targets)), "rows")
    return Examples(rows.inputs, np.asarray(targets), "rows")


@pytest.mark.parametrize(
    ("log", "loss", "metric"), [(True, np.log(10) ** 2, np.log(10)), (False, 81.0, 9.0)]
)
def test_a_regression_is_trained_on_the_logarithm_where_its_target_says_so(log, loss, metric):
    objective = spec_of(log=log).task.objective
    options = objective.compile_options(None)
    values, targets = np.array([10.0], "float32"), np.array([1.0], "float32")
    assert float(np.mean(options["loss"](targets, values))) == pytest.approx(loss, rel=1e-5)
    options["metrics"][0].update_state(targets, values)
    assert float(options["metrics"][0].result()) == pytest.approx(metric, rel=1e-5)


@pytest.mark.parametrize(
    ("log", "mean"), [(True, 10 * 100**0.25), (False, 257.5)]
)  # the geometric mean, the arithmetic one
def test_the_baseline_of_a_regression_is_the_mean_of_its_training_targets(log, mean):
    objective = spec_of(log=log).task.objective
    scores = objective.baseline(examples(TARGETS), examples(np.full(3, 20.0)))
    assert scores["rmse"] == pytest.approx(abs(mean - 20))
    assert ("rmse_log" in scores) == log


def test_metrics_of_a_regression():
    scores = spec_of(log=False).task.objective.score(
        np.array([1.0, 4.0, 2.0]), examples([2.0, 2.0, 5.0])
    )  # errors of -1, 2, -3; targets around 3
    expected = {"rmse": np.sqrt(14 / 3), "mae": 2.0, "r2": 1 - 14 / 6}
    assert scores == pytest.approx(expected)


def test_slices_of_a_regression_are_the_values_of_a_column():
    objective = spec_of().task.objective
    rows = examples(TARGETS)
    for name in ("cut", "carat"):
        values = objective.slice_values(None, rows, name)
        assert values.tolist() == rows.inputs[name].tolist()


@pytest.mark.parametrize("log", [True, False])
def test_the_scores_of_examples_are_those_of_the_first_metric(log):
    objective = spec_of(log=log).task.objective
    outputs = np.linspace(1, 9, len(TARGETS)).astype("float32")
    scores = objective.example_scores(outputs, examples(TARGETS))
    metric, value = next(iter(objective.score(outputs, examples(TARGETS)).items()))
    assert (scores.metric, scores.value) == (metric, pytest.approx(value))


@pytest.mark.parametrize(("log", "lowest"), [(True, 1e-3), (False, -5.0)])
def test_targets_below_the_lowest_are_refused(log, lowest):
    data = spec_of(log=log).task.data
    data.check(examples([lowest, 1.0]))
    for target in [0.0, -1.0] if log else [np.nan, np.inf]:
        with pytest.raises(DataError, match="logarithm" if log else "finite numbers"):
            data.check(examples([target, 1.0]))


@pytest.mark.parametrize("log", [True, False])
def test_tensorboard_shows_predictions_over_targets(log, monkeypatch):
    arguments, draw = [], pictures.prediction_density

    def record(*args, **options):
        arguments.append((args, options))
        return draw(*args, **options)

    monkeypatch.setattr(pictures, "prediction_density", record)
    images = spec_of(log=log).task.summaries.result_images(VALUES, examples(10 * VALUES))
    assert images["predictions"].shape[-1] == 3
    [((targets, values), options)] = arguments
    assert (targets.tolist(), values.tolist()) == ((10 * VALUES).tolist(), VALUES.tolist())
    assert options == {"log": log}


@pytest.mark.parametrize(
    ("scores", "auc"),
    [([0, 1, 2, 3], 1.0), ([3, 2, 1, 0], 0.0), ([0, 2, 1, 3], 0.75), ([1, 1, 1, 1], 0.5)],
)
def test_the_auc_is_how_often_a_positive_row_has_the_higher_score(scores, auc):
    positive = np.array([False, False, True, True])
    assert roc_auc(np.array(scores), positive) == auc


def test_rows_of_two_classes_have_an_auc_of_the_second_one():
    objective = spec_of(labels=("no", "yes")).task.objective
    logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = objective.score(logits, examples([0, 0, 1]))
    assert list(scores) == ["accuracy", "auc", "cross_entropy"]
    assert scores["auc"] == 1
    assert objective.baseline(examples([0, 0, 1]), examples([0, 0, 0, 1])) == {
        "accuracy": 0.75,
        "auc": 0.5,
    }
    assert "auc" not in objective.score(logits, examples([0, 0, 0]))


@pytest.mark.parametrize("target", [-1, 2])
def test_labels_of_rows_are_indices_of_classes(target):
    data = spec_of(labels=("no", "yes")).task.data
    data.check(examples([0, 1]))
    with pytest.raises(DataError, match="expected labels from 0 to 1"):
        data.check(examples([0, target]))


def test_an_infinite_number_among_examples_names_its_row():
    rows = examples([1.0, 2.0, 3.0])
    rows.inputs["carat"] = np.array([1.0, np.nan, np.inf], "float32")
    with pytest.raises(DataError, match=r"finite numbers in 'carat'.* row 2 is infinite"):
        spec_of().task.data.check(rows)
