"""What moved, of numbers that are known to have moved or not."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_fm.drift_detection import statistics
from keras_fm.drift_detection.comparing import compare_sketches
from keras_fm.sketches.histograms import Categories, Vectors
from keras_fm.sketches.sketch import Sketch

CLASSES = np.array(["cat", "dog", "fox", "owl"], object)
ALL = None


def sample(random, count, names=None):
    """What could be measured of requests: all kinds of features."""
    factor = random.normal(size=(count, 1))
    makers = {
        "input:normal": lambda: random.normal(size=count),
        "input:price": lambda: np.exp(random.normal(size=count)),
        "input:zeros": lambda: np.where(random.random(count) < 0.95, 0, random.normal(size=count)),
        "input:gaps": lambda: np.where(random.random(count) < 0.2, np.nan, random.random(count)),
        "input:stars": lambda: random.integers(1, 6, count).astype("float64"),
        "input:color": lambda: random.choice([f"color {i}" for i in range(30)], count),
        "input:rare": lambda: random.choice(["a", "b"], count, p=[0.98, 0.02]),
        "output:class": lambda: random.choice(CLASSES, count),
        # Dimensions that move together.
        "output:embedding": lambda: factor + 0.1 * random.normal(size=(count, 16)),
    }
    return {name: makers[name]() for name in names or makers}


def compared(training, requests):
    sketch = Sketch.of("training", training)
    filled = sketch.empty("requests")
    filled.add(requests)
    return compare_sketches(Path("exports/x/1"), sketch, filled, [])


def test_the_same_data_did_not_move():
    values = sample(np.random.default_rng(0), 500)
    report = compared(values, values)
    assert all(feature.psi < 1e-9 for feature in report.features)
    assert all(feature.verdict == "none" for feature in report.features)
    assert report.moved == ()
    assert "nothing moved" in report.summary


@pytest.mark.parametrize(
    ("num_training", "num_requests", "names"),
    [
        (500, 200, ["input:price", "input:stars", "output:class"]),
        pytest.param(2000, 200, ALL, marks=pytest.mark.thorough),
        pytest.param(256, 200, ALL, marks=pytest.mark.thorough),
        pytest.param(2000, 25, ALL, marks=pytest.mark.thorough),
    ],
)
def test_false_alarms_are_rare(num_training, num_requests, names):
    alarms = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        sides = [sample(random, count, names) for count in (num_training, num_requests)]
        report = compared(*sides)
        alarms += bool(report.moved)
    assert alarms <= 5  # a hundredth is expected; more than 5 of 200 have a probability of 1.7 %


MOVES = {
    "input:normal": lambda values, random: values + 1,
    "input:price": lambda values, random: values * 3,
    "input:zeros": lambda values, random: np.where(random.random(len(values)) < 0.5, values, 2.0),
    "input:gaps": lambda values, random: np.where(random.random(len(values)) < 0.6, np.nan, values),
    "input:stars": lambda values, random: np.maximum(values - 2, 1),
    "input:color": lambda values, random: np.where(random.random(len(values)) < 0.5, "new", values),
    "input:rare": lambda values, random: np.where(random.random(len(values)) < 0.4, "b", values),
    "output:class": lambda values, random: np.where(values == "owl", "cat", values),
    "output:embedding": lambda values, random: values + 1,
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moved_is_ranked_first(name):
    random = np.random.default_rng(1)
    training, requests = sample(random, 1000), sample(random, 400)
    requests[name] = MOVES[name](requests[name], random)
    first, *others = compared(training, requests).features
    assert f"{first.role}:{first.name}" == name
    assert first.verdict == "large"
    assert first.p_value < 1e-6
    assert all(feature.is_noise or feature.verdict == "none" for feature in others)


def test_psi_and_ks_are_those_of_the_definition():
    counts, request_counts = np.array([100, 200, 700]), np.array([300, 300, 400])
    shares, request_shares = counts / 1000, request_counts / 1000
    expected = ((request_shares - shares) * np.log(request_shares / shares)).sum()
    assert statistics.psi(counts, request_counts) == pytest.approx(expected, rel=0.01)
    random = np.random.default_rng(0)
    values, others = random.normal(size=500), random.normal(0.3, size=400)
    sketch = Sketch.of("", {"input:x": values})
    filled = sketch.empty("")
    filled.add({"input:x": others})
    ks, p_value = statistics.ks_test(sketch.features["input:x"], filled.features["input:x"])
    exact = stats.ks_2samp(values, others)
    assert ks <= exact.statistic
    assert ks == pytest.approx(exact.statistic, abs=0.02)
    assert np.log10(p_value) == pytest.approx(np.log10(exact.pvalue), abs=0.7)


def test_statistics_are_those_of_the_formulas():
    # Half an example more in each bin: (0.5, 10.5) and (10.5, 0.5) of 11.
    assert statistics.psi([0, 10], [10, 0]) == pytest.approx(2 * 10 / 11 * np.log(21))
    # The quantile of a chi-square with 9 degrees of freedom, from a table.
    assert statistics.psi_noise(10, 1000, 500, 0.01) == pytest.approx(21.666 * 0.003, rel=1e-4)
    assert statistics.requests_needed(10, 1000, 0.01, 0.1) == np.ceil(1 / (0.1 / 21.666 - 0.001))
    bins = statistics.Bins(["a", "b"], np.array([10, 20]), np.array([20, 10]))
    chi_square, p_value = statistics.chi_square_test(bins)
    assert chi_square == pytest.approx(60 * (100 - 400) ** 2 / 30**4)
    assert p_value == pytest.approx(stats.chi2.sf(chi_square, 1))
    sides = Vectors([0.0, 5.0], [1.0, 0.0], 9), Vectors([2.0, 5.0], [3.0, 0.0], 9)
    assert statistics.mean_shift(*sides) == pytest.approx(2**2 / 2 / 2)


@pytest.mark.parametrize("num_requests", [7, 23, 41, 60, 99])
def test_each_bin_of_numbers_is_full_enough(num_requests):
    random = np.random.default_rng(num_requests)
    [feature] = compared(
        {"input:x": random.normal(size=1000)}, {"input:x": random.normal(size=num_requests)}
    ).features
    counts = np.add(feature.reference_counts, feature.request_counts)
    assert counts.sum() == 1000 + num_requests
    assert (counts * num_requests / counts.sum() >= 5).all()


def test_a_frequent_number_has_a_bin_of_its_own():
    random = np.random.default_rng(0)
    values = np.concatenate([random.uniform(-1, 0, 50), np.zeros(900), random.uniform(0, 1, 50)])
    [feature] = compared({"input:x": values}, {"input:x": values}).features
    assert feature.reference_counts == (50, 900, 50)


def test_what_is_rare_joins_the_least_category_to_fill_a_bin():
    reference = Categories({"a": 500, "b": 480, "c": 3})
    bins = statistics.comparable_bins(reference, Categories({"a": 50, "b": 49, "c": 1}))
    assert bins.names == ["a", "(rare)"]
    assert (bins.reference.tolist(), bins.requests.tolist()) == ([500, 483], [50, 50])


def test_a_report_of_more_features_takes_more_for_noise():
    # Together they have as many false alarms as one feature alone, and need as many requests as
    # the feature that needs the most.
    random = np.random.default_rng(0)
    sides = [sample(random, count, ["input:normal", "output:class"]) for count in (1000, 300)]
    report = compared(*sides)
    for feature in report.features:
        noise = statistics.psi_noise(len(feature.bins), 1000, 300, 0.01 / 2)
        assert feature.noise == pytest.approx(noise)
    most_bins = max(len(feature.bins) for feature in report.features)
    assert most_bins > len(CLASSES)
    needed = statistics.requests_needed(most_bins, 1000, 0.01 / 2, 0.1)
    assert report.requests_needed == needed


def test_what_moved_stands_before_what_chance_explains():
    random = np.random.default_rng(0)
    training = {
        "input:x": random.normal(size=1000),
        "output:embedding": random.normal(size=(1000, 4)),
    }
    requests = {
        "input:x": random.normal(0.15, size=100),
        "output:embedding": random.normal(0.36, size=(100, 4)),
    }
    moved, noise = compared(training, requests).features
    assert (moved.name, moved.is_noise, noise.is_noise) == ("embedding", False, True)
    assert noise.psi > moved.psi


def test_a_shift_of_the_mean_reads_as_a_psi():
    random = np.random.default_rng(0)
    training = random.normal(size=(20_000, 4))
    report = compared({"output:embedding": training}, {"output:embedding": training + 0.5})
    assert report.features[0].psi == pytest.approx(0.25, rel=0.05)
    bins = compared({"input:x": training[:, 0]}, {"input:x": training[:, 0] + 0.5})
    assert bins.features[0].psi == pytest.approx(0.25, rel=0.15)


def test_too_few_requests_are_no_alarm_but_a_sentence():
    random = np.random.default_rng(0)
    training = sample(random, 1000)
    few = {name: values + 0.5 for name, values in sample(random, 12).items() if "normal" in name}
    report = compared({"input:normal": training["input:normal"]}, few)
    assert report.moved == ()
    assert report.features[0].verdict == "too few"
    assert report.requests_needed > 12
    assert f"takes about {report.requests_needed:,} requests to show" in report.summary
    single = compared({"input:normal": training["input:normal"]}, {"input:normal": np.ones(1)})
    assert single.features[0].noise is None
    assert single.features[0].verdict == "too few"


def test_few_training_inputs_are_told_too():
    random = np.random.default_rng(0)
    training, requests = random.normal(size=40), random.normal(size=5000)
    report = compared({"input:x": training}, {"input:x": requests})
    assert report.requests_needed is None
    assert "40 training inputs are too few" in report.summary


@pytest.mark.parametrize("num_training", [50, 2000, 50_000])
def test_what_no_training_input_had_is_found(num_training):
    random = np.random.default_rng(0)
    training, count = sample(random, num_training), 40
    for name, values in (
        ("input:color", np.full(count, "new", object)),
        ("input:normal", np.full(count, 99.0)),
        ("input:zeros", np.full(count, 99.0)),
        ("input:stars", np.full(count, 7.0)),
        ("input:price", np.full(count, np.nan)),
    ):
        [feature] = compared({name: training[name]}, {name: values}).features
        assert feature.verdict == "large", name


def test_a_constant_that_stays_is_no_movement_and_one_that_moves_is():
    sides = np.full(100, 32.0), np.full(100, 64.0)
    assert compared({"input:width": sides[0]}, {"input:width": sides[0]}).features[0].psi == 0
    assert compared({"input:width": sides[0]}, {"input:width": sides[0][:2]}).moved == ()
    moved = compared({"input:width": sides[0]}, {"input:width": sides[1]})
    assert moved.features[0].verdict == "large"
