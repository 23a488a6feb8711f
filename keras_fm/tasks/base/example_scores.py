"""The score of each example, of which a metric is the mean: what intervals are computed from."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExampleScores:
    """The first metric of a task, as a score of each example.

    Attributes:
        metric: Its name.
        values: The scores, float64 `[examples]`.
        is_root: Whether the metric is the root of their mean; else it is their mean.
        is_error: Whether a lower value is better.
    """

    metric: str
    values: np.ndarray
    is_root: bool = False
    is_error: bool = False

    def of_means(self, means: np.ndarray) -> np.ndarray:
        """Return the metric from means of scores, of any shape."""
        return np.sqrt(means) if self.is_root else means

    @property
    def value(self) -> float:
        """The metric on all examples."""
        return float(self.of_means(self.values.mean()))

    @property
    def is_proportion(self) -> bool:
        """Whether each score is 0 or 1, for a wrong and a right prediction."""
        return not self.is_root and bool(np.isin(self.values, (0, 1)).all())

    def subset(self, mask: np.ndarray) -> "ExampleScores":
        """Return the scores of some of the examples."""
        return ExampleScores(self.metric, self.values[mask], self.is_root, self.is_error)
