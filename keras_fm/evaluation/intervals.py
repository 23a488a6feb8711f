"""Confidence intervals of metrics, by the percentile bootstrap or Wilson's formula."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from keras_fm.tasks.base import ExampleScores

CONFIDENCE = 0.95
NUM_RESAMPLES = 1000
# On fewer examples a bootstrap of rights and wrongs is too narrow.
FEW_EXAMPLES = 30
_MAX_ROWS = 2_000_000  # that are drawn at a time

Interval = list[float] | None


def metric_interval(scores: ExampleScores) -> Interval:
    """Return the lower and the upper limit of a metric; None of a single error.

    It is a percentile bootstrap of the examples. A proportion of few examples, or of those that are
    all right or all wrong, whose bootstrap has no width, has Wilson's interval.
    """
    count = len(scores.values)
    if uses_wilson(scores):
        test = binomtest(int(scores.values.sum()), count)
        return [float(limit) for limit in test.proportion_ci(CONFIDENCE, method="wilson")]
    if count == 1:
        return None
    means = np.concatenate([scores.values[rows].mean(axis=1) for rows in _resamples(count)])
    return _percentiles(scores.of_means(means))


def uses_wilson(scores: ExampleScores) -> bool:
    """Return whether the interval of a metric is Wilson's."""
    is_constant = scores.values.min() == scores.values.max()
    return scores.is_proportion and (len(scores.values) < FEW_EXAMPLES or is_constant)


def difference_interval(first: ExampleScores, second: ExampleScores) -> Interval:
    """Return the limits of the second metric minus the first, on the same examples.

    It is a percentile bootstrap of the examples, each with both scores; None of a single example.
    """
    count = len(first.values)
    if count == 1:
        return None
    differences = [
        second.of_means(second.values[rows].mean(axis=1))
        - first.of_means(first.values[rows].mean(axis=1))
        for rows in _resamples(count)
    ]
    return _percentiles(np.concatenate(differences))


def _resamples(count: int) -> Iterator[np.ndarray]:
    """Yield indices of resamples with replacement, `[resamples, count]`, the same each time."""
    random = np.random.default_rng(0)
    chunk = max(1, _MAX_ROWS // count)
    for start in range(0, NUM_RESAMPLES, chunk):
        yield random.integers(0, count, (min(chunk, NUM_RESAMPLES - start), count))


def _percentiles(values: np.ndarray) -> list[float]:
    outside = (1 - CONFIDENCE) / 2
    return np.quantile(values, [outside, 1 - outside]).tolist()
