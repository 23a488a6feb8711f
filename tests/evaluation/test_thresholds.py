"""Metrics of two classes at a threshold, and thresholds that cost the least."""

import numpy as np
import pytest

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.evaluation.thresholds import metrics_at_threshold

LABELS = ("no", "yes")


def measure(probabilities, targets, threshold):
    yes = np.asarray(probabilities, "float64")
    with np.errstate(divide="ignore"):
        outputs = np.log(np.stack([1 - yes, yes], axis=1))
    examples = Examples(np.zeros(len(yes)), np.asarray(targets), "examples")
    return metrics_at_threshold(outputs, examples, LABELS, threshold)


def test_a_number_is_taken_as_it_is():
    metrics = measure([0.1, 0.35, 0.4, 0.9], [0, 1, 0, 1], 0.3)
    expected = {"threshold": 0.3, "positive_class": "yes", "accuracy": 0.75}
    expected |= {"balanced_accuracy": 0.75, "precision": 2 / 3, "recall": 1.0, "f1": 0.8}
    assert metrics == {
        name: value if isinstance(value, str) else pytest.approx(value)
        for name, value in expected.items()
    }


def costs_of_all_thresholds(probabilities, targets, costs):
    """Return the mean cost of every way to cut the sorted probabilities."""
    cuts = [0.0, *(np.unique(probabilities) + 1e-9)]
    return [
        np.mean(
            np.where(
                np.asarray(targets) == 1,
                (probabilities < cut) * costs["false_negative"],
                (probabilities >= cut) * costs["false_positive"],
            )
        )
        for cut in cuts
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("false_positive", "false_negative"), [(1, 1), (1, 5), (5, 1), (0, 1), (1, 0), (1, 1000)]
)
def test_costs_choose_the_threshold_of_the_lowest_mean_cost(seed, false_positive, false_negative):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, 40)
    probabilities = np.round(np.clip(rng.normal(0.4 + 0.2 * targets, 0.3), 0, 0.99), 2)
    costs = {"false_positive": false_positive, "false_negative": false_negative}
    metrics = measure(probabilities, targets, costs)
    lowest = min(costs_of_all_thresholds(probabilities, targets, costs))
    assert metrics["mean_cost"] == pytest.approx(lowest)
    again = measure(probabilities, targets, metrics["threshold"])
    assert again["accuracy"] == metrics["accuracy"]


def test_balanced_gives_both_classes_the_same_say():
    # 90 of the first class below 0.2, 10 of the second between 0.25 and 0.35: 0.5 finds none.
    probabilities = np.concatenate([np.linspace(0.01, 0.19, 90), np.linspace(0.25, 0.35, 10)])
    targets = np.repeat([0, 1], [90, 10])
    metrics = measure(probabilities, targets, "balanced")
    assert metrics["balanced_accuracy"] == 1.0
    assert metrics["threshold"] == pytest.approx(0.22)
    assert "mean_cost" not in metrics
    assert measure(probabilities, targets, 0.5)["recall"] == 0.0


def test_of_several_best_thresholds_that_nearest_to_a_half_is_taken():
    metrics = measure([0.2, 0.2, 0.7, 0.7], [0, 0, 1, 1], "balanced")
    assert metrics["threshold"] == pytest.approx(0.45)

    # Each misses one: 0.05 takes all for the second class, 0.8 takes none.
    assert measure([0.1, 0.6], [1, 0], {"false_positive": 1, "false_negative": 1})[
        "threshold"
    ] == pytest.approx(0.8)


def test_balanced_weighs_an_error_by_the_size_of_its_class():
    probabilities, targets = np.repeat([0.1, 0.6, 0.5, 0.7], [80, 10, 4, 6]), [0] * 90 + [1] * 10
    metrics = measure(probabilities, targets, "balanced")  # ten errors of 90 instead of 4 of 10
    assert metrics["threshold"] == pytest.approx(0.3)
    assert metrics["balanced_accuracy"] == pytest.approx((1 + 80 / 90) / 2)


def test_no_threshold_is_above_a_probability_of_one():
    metrics = measure([1.0, 0.2], [0, 1], {"false_positive": 100, "false_negative": 1})
    assert (metrics["threshold"], metrics["mean_cost"]) == (pytest.approx(0.1), 50)


@pytest.mark.parametrize("target", [0, 1])
def test_one_class_alone_chooses_no_threshold(target):
    with pytest.raises(DataError, match=f"of both classes.*received '{LABELS[target]}' alone"):
        measure([0.2, 0.7], [target, target], "balanced")
    assert measure([0.2, 0.7], [target, target], 0.5)["accuracy"] == 0.5
