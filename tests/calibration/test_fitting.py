import dataclasses
import math

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import binom

from keras_fm.calibration import metrics
from keras_fm.calibration.arguments import (
    check_classifier,
    check_coverage,
    num_threshold_examples,
)
from keras_fm.calibration.calibration import (
    Calibration,
    distribution_scores,
    load_calibration,
    save_calibration,
)
from keras_fm.calibration.fitting import (
    conformal_quantile,
    fit_calibration,
    fit_temperature,
    split_halves,
)
from keras_fm.errors import DataError, InvalidInputError


def synthetic(temperature, count=4000, classes=5, seed=0):
    """Logits that are `temperature` times those of the true probabilities, and targets."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(count, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    draws = random.random((count, 1))
    targets = (probabilities.cumsum(-1) < draws).sum(-1).clip(0, classes - 1)
    return temperature * logits, targets


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_of_synthetic_logits_is_recovered(temperature, classes):
    logits, targets = synthetic(temperature, 20_000, classes)
    assert fit_temperature(logits, targets) == pytest.approx(temperature, rel=0.07)


def test_predictions_that_are_all_right_keep_the_temperature():
    targets = np.arange(3).repeat(10)
    assert fit_temperature(np.eye(3)[targets], targets) == 1.0


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_sets_cover_new_examples_as_often_as_they_say(coverage, classes):
    logits, targets = synthetic(3.0, 2000, classes)
    calibration = fit_calibration(logits, targets, coverage)
    logits, targets = synthetic(3.0, 20_000, classes, seed=1)
    measured = metrics.calibrated_metrics(calibration, logits, targets)
    # A calibration by n examples misses by its own chance, too: that of n + the new ones.
    least = binom.ppf(1e-3, 1000, coverage) / 1000
    assert measured["set_coverage"] >= least
    assert measured["in_distribution"] >= least
    if coverage > 0.8:  # below, the predicted class alone covers more
        assert measured["set_coverage"] <= coverage + 0.05
    assert measured["mean_set_size"] >= 1.0


def test_the_thresholds_are_those_of_the_half_that_fitted_no_temperature():
    logits, targets = synthetic(2.0, 401)
    half, other_half = split_halves(401)
    assert sorted([*half, *other_half]) == list(range(401))
    assert len(half) == 200
    assert 0.3 < (half < 200).mean() < 0.7  # drawn, for data may be in an order
    calibration = fit_calibration(logits, targets, 0.9)
    assert calibration.temperature == fit_temperature(logits[half], targets[half])
    logits, targets = logits[other_half], targets[other_half]
    probabilities = softmax(logits / calibration.temperature, axis=-1)
    threshold = conformal_quantile(probabilities[np.arange(201), targets], 0.9)
    assert calibration.threshold == pytest.approx(threshold, rel=1e-4)
    scores = distribution_scores(logits, "energy")
    lowest, highest = conformal_quantile(scores, 0.9), 2 * scores.max() - scores.min()
    assert calibration.lowest_score == pytest.approx(lowest, abs=1e-3)
    assert calibration.highest_score == pytest.approx(highest, abs=1e-3)
    # An example that is the limit itself stays inside where another machine rounds otherwise.
    assert calibration.threshold < threshold * (1 - 1e-7)
    assert calibration.lowest_score < lowest - 1e-7
    assert calibration.highest_score > highest + 1e-7


def test_a_score_at_the_limit_is_in_distribution():
    logits, targets = synthetic(1.0, 100)
    calibration = fit_calibration(logits, targets, 0.9)
    [score] = distribution_scores(logits[:1], calibration.score)
    for limits in ({"lowest_score": score}, {"highest_score": score}):
        at_limit = dataclasses.replace(calibration, **limits)
        assert at_limit.in_distribution(logits[:1]).all()


def test_the_quantile_has_the_coverage_of_finite_samples():
    random = np.random.default_rng(0)
    samples = random.random((4000, 20))
    covered = [row[19] >= conformal_quantile(row[:19], 0.9) for row in samples]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)
    assert conformal_quantile(np.arange(9.0), 0.9) == 0.0  # the least of nine: 1 of 10 is below


def test_a_calibration_lowers_the_error():
    logits, targets = synthetic(4.0)
    calibration = fit_calibration(logits, targets, 0.9)
    before = metrics.uncalibrated_metrics(logits, targets)
    after = metrics.calibrated_metrics(calibration, logits, targets)
    assert before["expected_calibration_error"] > 0.1
    assert after["calibrated_expected_calibration_error"] < 0.03
    assert after["calibrated_cross_entropy"] < before["cross_entropy"]


def test_the_calibration_error_is_the_mean_gap_of_fifteen_bins():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.3, 0.7], [0.3, 0.7]])
    targets = np.array([0, 1, 1, 1])
    # Two bins: 0.95 with an accuracy of 0.5, and 0.7 with 1.
    expected = (0.45 + 0.3) / 2
    assert metrics.expected_calibration_error(probabilities, targets) == pytest.approx(expected)
    rows = metrics.reliability(probabilities, targets)
    assert [row["num_examples"] for row in rows] == [2, 2]
    assert rows[0]["lower"] == pytest.approx(10 / 15)
    [last] = metrics.reliability(np.eye(3)[[0, 1]], np.array([0, 0]))
    assert last == {
        "lower": 14 / 15, "upper": 1.0, "confidence": 1.0, "accuracy": 0.5, "num_examples": 2,
    }  # fmt: skip


@pytest.mark.parametrize("is_normalized", [False, True])
def test_inputs_that_are_unlike_have_low_scores(is_normalized):
    random = np.random.default_rng(0)
    targets = np.arange(1000) % 4
    logits = 8 * np.eye(4)[targets] + random.normal(size=(1000, 4))
    unlike = 0.1 * random.normal(size=(100, 4))
    if is_normalized:  # as those of an ensemble's mean probabilities
        logits, unlike = (
            x - np.logaddexp.reduce(x, axis=-1, keepdims=True) for x in (logits, unlike)
        )
    calibration = fit_calibration(logits, targets, 0.95)
    assert calibration.score == ("log_odds" if is_normalized else "energy")
    assert calibration.in_distribution(logits).mean() > 0.93
    assert not calibration.in_distribution(unlike).any()


@pytest.mark.parametrize("is_normalized", [False, True])
def test_logits_without_bounds_are_unlike(is_normalized):
    logits, targets = synthetic(1.0)
    far = 1000 * (1 + np.abs(logits))
    if is_normalized:
        logits, far = (x - np.logaddexp.reduce(x, axis=-1, keepdims=True) for x in (logits, far))
    calibration = fit_calibration(logits, targets, 0.9)
    assert calibration.in_distribution(far).mean() < 0.03


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_examples_are_an_error_that_says_how_many(coverage, needed):
    assert num_threshold_examples(coverage) == needed == max(1, round(1 / (1 - coverage) - 1))
    logits, targets = synthetic(1.0, 2 * needed)
    fit_calibration(logits, targets, coverage)
    with pytest.raises(DataError, match=f"needs {2 * needed} held-out examples or more"):
        fit_calibration(logits[1:], targets[1:], coverage, data="mine")


@pytest.mark.parametrize("coverage", [0, 1, 1.2, -0.5, math.nan, "much", True])
def test_a_coverage_is_a_fraction(coverage):
    with pytest.raises(InvalidInputError, match="coverage is"):
        check_coverage(None, coverage)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((None, None), None), ((False, None), None), ((True, None), 0.9), ((None, 0.8), 0.8),
        ((True, 0.8), 0.8),
    ],
)  # fmt: skip
def test_a_coverage_implies_a_calibration(options, expected):
    assert check_coverage(*options) == expected


@pytest.mark.parametrize("options", [(False, 0.9), ("yes", None), (1, None)])
def test_options_that_contradict_are_an_error(options):
    with pytest.raises(InvalidInputError, match="calibrate"):
        check_coverage(*options)


@pytest.mark.parametrize("task", ["tabular-regression", "text-generation", "fill-mask"])
def test_what_has_no_classes_is_not_calibrated(task):
    with pytest.raises(InvalidInputError, match=rf"for classifiers; received net \({task}\)"):
        check_classifier("net", task)


def test_a_file_holds_all_of_a_calibration(tmp_path):
    calibration = fit_calibration(*synthetic(2.0), 0.9, data="mine", data_sha256="0" * 64)
    save_calibration(calibration, tmp_path / "calibration.json")
    assert load_calibration(tmp_path / "calibration.json") == calibration
    later_version = {**calibration.to_dict(), "another_field": 1}
    assert Calibration.from_dict(later_version) == calibration
    (tmp_path / "calibration.json").write_text('{"temperature": 1}')
    with pytest.raises(DataError, match="holds no calibration"):
        load_calibration(tmp_path / "calibration.json")
