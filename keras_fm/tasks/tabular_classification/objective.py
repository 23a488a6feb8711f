"""How classifiers of rows are evaluated."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from keras_fm.data.examples import Examples
from keras_fm.tasks.classification import ClassificationObjective
from keras_fm.tasks.tabular_slices import column_values


class RowObjective(ClassificationObjective):
    """Adds the area under the ROC curve of two classes, and slices by each column."""

    @property
    def slices(self) -> tuple[str, ...]:
        """The class, and each column; a column called label gives way to the class."""
        names = [*super().slices, *(column.name for column in self.data.columns)]
        return tuple(dict.fromkeys(names))

    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return `accuracy`, `cross_entropy` (nats), and `auc` where both classes are there."""
        scores = super().score(outputs, examples)
        if not self._has_both_classes(examples):
            return scores
        auc = roc_auc(outputs[:, 1] - outputs[:, 0], examples.targets == 1)
        return {"accuracy": scores["accuracy"], "auc": auc, **scores}

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return the values of a column, or see the base class."""
        is_class = slice_by in super().slices
        values = None if is_class else column_values(self.data.columns, examples, slice_by)
        return super().slice_values(outputs, examples, slice_by) if values is None else values

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the metrics of the majority class, which ranks no row before another."""
        scores = super().baseline(examples, validation)
        return {**scores, "auc": 0.5} if self._has_both_classes(validation) else scores

    def _has_both_classes(self, examples: Examples) -> bool:
        return len(self.spec.labels) == len(np.unique(examples.targets)) == 2


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return how often a positive row has a higher score than a negative one; ties are half.

    Args:
        scores: `[rows]`.
        positive: Bool `[rows]`.
    """
    ranks, count = rankdata(scores), int(positive.sum())
    lowest_sum = count * (count + 1) / 2  # of ranks, where all positive rows come first
    pairs = count * (len(positive) - count)
    return float((ranks[positive].sum() - lowest_sum) / pairs)
