"""What methods return whose scores add up to the prediction's."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decomposition:
    """How the difference between the scores of an input and of a baseline is made up.

    Attributes:
        contributions: Of the features, `[features...]`.
        score: Of the input.
        base_score: Of the baseline.
    """

    contributions: np.ndarray
    score: float
    base_score: float
