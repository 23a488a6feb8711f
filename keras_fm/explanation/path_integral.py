"""The integral of contributions along the path from a baseline to an input."""

from collections.abc import Callable

import numpy as np

from keras_fm.explanation.decomposition import Decomposition

# From positions on the path, 0 to 1, `[positions]`, to the scores there `[positions]`, and how much
# each feature contributes to the slope `[positions, features...]`.
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

INITIAL_STEPS = 32
MAX_STEPS = 512
TOLERANCE = 0.01  # how far the sum may be from the difference of the scores
# How far the steps may be from theirs, all together, whether or not that cancels out.
_STEP_TOLERANCE = 0.1
_MIN_SHARE = 0.1  # of all contributions: those of an input like its baseline cancel out
_BATCH = 32


def integrate(evaluate: Evaluate) -> Decomposition:
    """Integrate by the trapezoidal rule, with more steps where the score does not follow.

    The scores at both ends of a step say how much all contributions in it come to; the steps that
    are farthest from it are halved, until all together are exact to `TOLERANCE`.
    """
    positions = np.linspace(0, 1, INITIAL_STEPS + 1)
    scores, slopes = _in_batches(evaluate, positions)
    while True:
        parts = np.diff(positions).reshape(-1, *[1] * (slopes.ndim - 1)) * (
            (slopes[:-1] + slopes[1:]) / 2
        )
        sums = parts.reshape(len(parts), -1).sum(axis=1)
        errors = np.diff(scores) - sums
        scale = max(abs(scores[-1] - scores[0]), _MIN_SHARE * np.abs(sums).sum())
        sizes = np.abs(errors)
        is_exact = sizes.sum() <= _STEP_TOLERANCE * scale and abs(errors.sum()) <= TOLERANCE * scale
        room = MAX_STEPS - len(parts)
        if is_exact or room <= 0:
            return Decomposition(parts.sum(axis=0), float(scores[-1]), float(scores[0]))
        order = np.argsort(-sizes, kind="stable")
        # The fewest that make up half of all errors.
        num_worst = 1 + int(np.searchsorted(sizes[order].cumsum(), sizes.sum() / 2))
        worst = np.sort(order[: min(num_worst, room)])
        middles = (positions[worst] + positions[worst + 1]) / 2
        new_scores, new_slopes = _in_batches(evaluate, middles)
        positions = np.insert(positions, worst + 1, middles)
        scores = np.insert(scores, worst + 1, new_scores)
        slopes = np.insert(slopes, worst + 1, new_slopes, axis=0)


def _in_batches(evaluate: Evaluate, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs = [
        evaluate(positions[start : start + _BATCH]) for start in range(0, len(positions), _BATCH)
    ]
    scores, slopes = zip(*pairs, strict=True)
    return np.concatenate(scores).astype("float64"), np.concatenate(slopes).astype("float64")
