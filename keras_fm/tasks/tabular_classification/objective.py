"""How classifiers of rows are evaluated."""

import numpy as np
from scipy.stats import rankdata

from keras_fm.data.examples import Examples
from keras_fm.tasks.classification import ClassificationObjective


class RowObjective(ClassificationObjective):
    """Adds the area under the ROC curve of two classes."""

    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return `accuracy`, `cross_entropy` (nats), and `auc` where both classes are there."""
        scores = super().score(outputs, examples)
        if not self._has_both_classes(examples):
            return scores
        auc = roc_auc(outputs[:, 1] - outputs[:, 0], examples.targets == 1)
        return {"accuracy": scores["accuracy"], "auc": auc, **scores}

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
