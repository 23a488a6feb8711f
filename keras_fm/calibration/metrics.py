"""How well probabilities are calibrated, and what prediction sets are worth."""

from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from keras_fm.calibration.calibration import Calibration

NUM_BINS = 15  # of equal width, as Guo et al. 2017 (arXiv:1706.04599) have them


def reliability(probabilities: np.ndarray, targets: np.ndarray) -> list[dict[str, float]]:
    """Return what a reliability diagram shows: a dict for each bin that has examples.

    Args:
        probabilities: `[examples, classes]`.
        targets: The classes, `[examples]`.

    Returns:
        The `lower` and `upper` limit of the probability of the predicted class, its mean
        `confidence`, the `accuracy`, and `num_examples`.
    """
    confidence = probabilities.max(-1)
    is_correct = probabilities.argmax(-1) == targets
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        {
            "lower": index / NUM_BINS,
            "upper": (index + 1) / NUM_BINS,
            "confidence": float(confidence[bins == index].mean()),
            "accuracy": float(is_correct[bins == index].mean()),
            "num_examples": int((bins == index).sum()),
        }
        for index in np.unique(bins).tolist()
    ]


def expected_calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean difference of confidence and accuracy over 15 bins of equal width.

    Args:
        probabilities: `[examples, classes]`.
        targets: The classes, `[examples]`.
    """
    bins = reliability(probabilities, targets)
    gaps = [row["num_examples"] * abs(row["accuracy"] - row["confidence"]) for row in bins]
    return float(sum(gaps) / len(targets))


def negative_log_likelihood(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean cross-entropy of logits `[examples, classes]`, in nats."""
    log_probabilities = log_softmax(np.asarray(logits, "float64"), axis=-1)
    return float(-log_probabilities[np.arange(len(targets)), targets].mean())


def uncalibrated_metrics(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return `expected_calibration_error` and `cross_entropy` of the logits as they are."""
    probabilities = softmax(np.asarray(logits, "float64"), axis=-1)
    return {
        "expected_calibration_error": expected_calibration_error(probabilities, targets),
        "cross_entropy": negative_log_likelihood(logits, targets),
    }


def calibrated_metrics(
    calibration: Calibration, logits: np.ndarray, targets: np.ndarray
) -> dict[str, float]:
    """Return what a calibration does with logits.

    Returns:
        `calibrated_expected_calibration_error`, `calibrated_cross_entropy`; the `set_coverage`, how
        often the class is in the prediction set; `mean_set_size`; `in_distribution`, the share of
        inputs that are.
    """
    sets = calibration.prediction_sets(logits)
    return {
        "calibrated_expected_calibration_error": expected_calibration_error(
            calibration.probabilities(logits), targets
        ),
        "calibrated_cross_entropy": negative_log_likelihood(
            np.asarray(logits, "float64") / calibration.temperature, targets
        ),
        "set_coverage": float(sets[np.arange(len(targets)), targets].mean()),
        "mean_set_size": float(sets.sum(-1).mean()),
        "in_distribution": float(calibration.in_distribution(logits).mean()),
    }


def result_of(calibration: Calibration, logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Return what a run keeps of its calibration: itself, and the metrics before and after."""
    return {
        **calibration.to_dict(),
        "metrics": {
            **uncalibrated_metrics(logits, targets),
            **calibrated_metrics(calibration, logits, targets),
        },
    }
