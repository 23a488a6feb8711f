import numpy as np
import pytest
from scipy import stats

from keras_fm.evaluation import intervals
from keras_fm.tasks.base import ExampleScores


def scores(values, **options):
    return ExampleScores("metric", np.asarray(values, "float64"), **options)


@pytest.mark.parametrize("is_root", [False, True])
def test_the_interval_is_that_of_scipys_bootstrap(is_root):
    values = np.random.default_rng(0).exponential(size=400)
    expected = stats.bootstrap(
        (values,),
        lambda x, axis: np.sqrt(x.mean(axis)) if is_root else x.mean(axis),
        method="percentile",
        n_resamples=4000,
    ).confidence_interval
    interval = intervals.metric_interval(scores(values, is_root=is_root))
    assert interval == pytest.approx([expected.low, expected.high], abs=0.03)
    assert interval == intervals.metric_interval(scores(values, is_root=is_root))


@pytest.mark.parametrize(("right", "count"), [(3, 3), (0, 3), (1, 1), (20, 29), (500, 500)])
def test_few_or_equal_rights_and_wrongs_have_wilsons_interval(right, count):
    values = np.arange(count) < right
    low, high = intervals.metric_interval(scores(values))
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert (low, high) == (expected.low, expected.high)
    assert low < high


def test_a_single_error_has_no_interval():
    assert intervals.metric_interval(scores([2.5], is_root=True)) is None


def test_a_paired_difference_is_narrower_than_that_of_independent_examples():
    values = np.random.default_rng(0).exponential(size=200)
    low, high = intervals.difference_interval(scores(values), scores(values + 0.1))
    assert (low, high) == pytest.approx((0.1, 0.1))
    assert intervals.difference_interval(scores([1.0]), scores([2.0])) is None
