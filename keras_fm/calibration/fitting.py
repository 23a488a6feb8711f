"""Fits a calibration on a classifier's outputs for held-out examples."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from keras_fm.calibration.arguments import check_num_examples
from keras_fm.calibration.calibration import Calibration, Score, distribution_scores
from keras_fm.calibration.metrics import negative_log_likelihood

_MAX_LOG_TEMPERATURE = 3.0  # from 1/20 to 20
# Of energies whose spread is less than this, the logits are normalized: they say nothing.
_MIN_ENERGY_SPREAD = 1e-3
# Another machine rounds otherwise: an example that is the threshold itself stays inside.
_ROUNDING = 1e-5


def fit_calibration(
    logits: np.ndarray,
    targets: np.ndarray,
    coverage: float,
    *,
    data: str = "",
    data_sha256: str = "",
) -> Calibration:
    """Fit the temperature on half of the examples, and the thresholds on the other half.

    So the thresholds are those of split conformal prediction: their examples had no say in what
    they are compared by. The halves are drawn by a fixed seed.

    Args:
        logits: `[examples, classes]`, of examples that the model was not trained on.
        targets: Their classes, `[examples]`.
        coverage: The share of new examples whose class is in the prediction set.
        data: What the examples are, in words.
        data_sha256: Of them.

    Raises:
        DataError: There are too few examples.
    """
    check_num_examples(data or "the examples", len(targets), coverage)
    logits, targets = np.asarray(logits, "float64"), np.asarray(targets)
    temperature_half, threshold_half = split_halves(len(targets))
    temperature = fit_temperature(logits[temperature_half], targets[temperature_half])
    logits, targets = logits[threshold_half], targets[threshold_half]
    scaled = logits / temperature
    probabilities = np.exp(scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True))
    score = score_of(logits)
    scores = distribution_scores(logits, score)
    lowest = conformal_quantile(scores, coverage)
    highest = float(2 * scores.max() - scores.min())
    margin = _ROUNDING * max(1.0, float(np.abs(scores).max()))
    threshold = conformal_quantile(probabilities[np.arange(len(targets)), targets], coverage)
    return Calibration(
        temperature=temperature,
        threshold=threshold * (1 - _ROUNDING),
        coverage=coverage,
        score=score,
        lowest_score=lowest - margin,
        highest_score=highest + margin,
        num_examples=len(targets),
        num_temperature_examples=len(temperature_half),
        data=data,
        data_sha256=data_sha256,
    )


def score_of(logits: np.ndarray) -> Score:
    """Return the in-distribution score of a model: its energy, if its logits have any.

    Args:
        logits: Of some examples, `[examples, classes]`.
    """
    has_energy = np.ptp(distribution_scores(logits, "energy")) >= _MIN_ENERGY_SPREAD
    return "energy" if has_energy else "log_odds"


def split_halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of those that fit the temperature, and of the others, no fewer."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature of the least cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    It is 1 where all predictions are right: then the cross-entropy only falls with it.

    Args:
        logits: `[examples, classes]`.
        targets: The classes, `[examples]`.
    """
    if (logits.argmax(-1) == targets).all():
        return 1.0
    result = minimize_scalar(
        lambda log: negative_log_likelihood(logits / math.exp(log), targets),
        bounds=(-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE),
        method="bounded",
    )
    return math.exp(result.x)


def conformal_quantile(conformities: np.ndarray, coverage: float) -> float:
    """Return the value that a further conformity is not below, with probability `coverage`.

    Of n values it is the one of rank n + 1 - ceil((n + 1) * coverage), the least being of rank 1.
    """
    count = len(conformities)
    rank = count + 1 - math.ceil(round((count + 1) * coverage, 9))
    return float(np.sort(conformities)[rank - 1])
