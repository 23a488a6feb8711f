"""Group fairness of a classifier of two classes: how its predictions differ between groups.

The definitions are those of Fairlearn: Hardt et al. 2016 (arXiv:1610.02413), equalized odds; Dwork
et al. 2012 (arXiv:1104.3913), demographic parity.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def group_fairness(
    masks: Mapping[str, np.ndarray], targets: np.ndarray, predicted: np.ndarray
) -> dict[str, float]:
    """Return the largest differences between groups.

    demographic_parity_difference: Of the rates at which the second class is predicted.
    equalized_odds_difference: Of the true positive rates, or of the false positive rates, whichever
        is larger. A group without positive (negative) examples has no such rate.

    Args:
        masks: Of each group, bool `[examples]`.
        targets: Indices of the classes, 0 or 1, `[examples]`.
        predicted: Those of the predicted ones, `[examples]`.
    """
    groups = list(masks.values())
    is_predicted = predicted == 1
    odds = [
        _difference(_rates(is_predicted, [mask & (targets == index) for mask in groups]))
        for index in (0, 1)
    ]
    return {
        "demographic_parity_difference": _difference(_rates(is_predicted, groups)),
        "equalized_odds_difference": max(odds),
    }


def _rates(is_predicted: np.ndarray, masks: Iterable[Any]) -> list[float]:
    return [float(is_predicted[mask].mean()) for mask in masks if mask.any()]


def _difference(rates: list[float]) -> float:
    return max(rates) - min(rates) if rates else 0.0
