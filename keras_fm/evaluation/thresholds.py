"""Two classes at a threshold: what a user chooses, or what costs the least."""

from typing import Any

import numpy as np
from scipy.special import softmax

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.serving.thresholds import BALANCED, COSTS, Threshold


def metrics_at_threshold(
    outputs: Any, examples: Examples, labels: tuple[str, ...], threshold: Threshold
) -> dict[str, Any]:
    """Return the metrics of two classes where the second is predicted from a probability on.

    Args:
        outputs: Logits `[examples, 2]`.
        examples: Of both classes.
        labels: The class names.
        threshold: A probability; or what the threshold that is chosen on these examples is best
            by, the balanced accuracy or the mean cost of an example.

    Returns:
        `threshold`, `positive_class`, `accuracy`, `balanced_accuracy`, `precision`, `recall`, `f1`,
        and of costs `mean_cost`.

    Raises:
        DataError: The threshold is to be chosen, and a class has no example.
    """
    # Compared as those of a pipeline: float32 numbers in Python's floats.
    scores = softmax(outputs, axis=-1)[:, 1].astype("float64")
    positive = np.asarray(examples.targets) == 1
    costs = None if isinstance(threshold, (str, float)) else threshold
    if not isinstance(threshold, float):
        if positive.all() or not positive.any():
            raise DataError(
                f"{examples.description}: expected examples of both classes, to choose a threshold "
                f"by; received {labels[int(positive[0])]!r} alone"
            )
        threshold = _best_threshold(scores, positive, *_costs_of(threshold, positive))
    predicted = scores >= threshold
    true_positives, false_positives = (predicted & positive).sum(), (predicted & ~positive).sum()
    num_positive, num_negative = positive.sum(), (~positive).sum()
    recall = true_positives / max(1, num_positive)
    specificity = 1 - false_positives / max(1, num_negative)
    metrics: dict[str, Any] = {
        "threshold": float(threshold),
        "positive_class": labels[1],
        "accuracy": float((predicted == positive).mean()),
        "balanced_accuracy": float((recall + specificity) / 2),
        "precision": float(true_positives / max(1, predicted.sum())),
        "recall": float(recall),
        "f1": float(2 * true_positives / max(1, num_positive + predicted.sum())),
    }
    if costs is not None:
        cost = costs[COSTS[0]] * false_positives
        cost += costs[COSTS[1]] * (num_positive - true_positives)
        metrics["mean_cost"] = float(cost / len(positive))
    return metrics


def _costs_of(threshold: Any, positive: np.ndarray) -> tuple[float, float]:
    """Return the cost of a false positive and of a false negative."""
    if threshold == BALANCED:
        return 1 / (~positive).sum(), 1 / positive.sum()
    return threshold[COSTS[0]], threshold[COSTS[1]]


def _best_threshold(
    scores: np.ndarray, positive: np.ndarray, false_positive: float, false_negative: float
) -> float:
    """Return the threshold of the lowest cost; of several that nearest to 0.5.

    It lies in the middle between two probabilities, as new ones are a little others.
    """
    values, groups = np.unique(scores, return_inverse=True)
    positives = np.bincount(groups, positive)  # of each value, in ascending order
    negatives = np.bincount(groups, ~positive)
    # All from a value on are positive; behind the last one, none.
    missed = np.concatenate([[0], positives.cumsum()]) * false_negative
    alarms = (negatives.sum() - np.concatenate([[0], negatives.cumsum()])) * false_positive
    bounds = np.concatenate([[0], values, [1]])
    thresholds = (bounds[1:] + bounds[:-1]) / 2
    apart = np.append(True, values < thresholds[1:])  # no threshold is above a probability of 1
    costs = np.where(apart, missed + alarms, np.inf)
    best = np.flatnonzero(np.isclose(costs, costs.min(), rtol=1e-12, atol=0))
    return float(thresholds[best[np.abs(thresholds[best] - 0.5).argmin()]])
