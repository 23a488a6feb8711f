"""A table's columns in, labels and their probabilities out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy.stats import rankdata

from keras_fm.data.examples import Examples
from keras_fm.explanation.attribution import log_odds
from keras_fm.tasks.classification import Classification
from keras_fm.tasks.tabular import TabularTask
from keras_fm.tasks.task import Signatures


class TabularClassification(Classification, TabularTask):
    """Answers labels with probabilities."""

    @property
    def build_arguments(self) -> dict[str, Any]:
        """The columns, and one output a label."""
        return {"columns": self.columns, **super().build_arguments}

    def check_targets(self, examples: Examples) -> None:
        """Raises a `DataError` where a target is not the index of a label."""
        self.check_labels(examples)

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`accuracy`, `cross_entropy` (nats), and `auc` of two classes."""
        return self.score(self.predict(model, self.encode(examples).inputs), examples, slices)

    def score(
        self, logits: np.ndarray, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """The same; `auc` is the area under the ROC curve, and wants examples of both classes."""
        scores = super().score(logits, examples, slices)
        if not self._both_classes_in(examples):
            return scores
        return {"accuracy": scores["accuracy"], "auc": _auc(logits, examples.targets), **scores}

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """Always the most common label; no row before another."""
        known = super().baseline(examples, held_out)
        return {**known, "auc": 0.5} if self._both_classes_in(held_out) else known

    def _both_classes_in(self, examples: Examples) -> bool:
        return len(self.identity.labels) == len(np.unique(examples.targets)) == 2

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Labels and probabilities of rows: dicts, a dict of columns, or a CSV file."""
        return self.name(self.answer_rows(model, inputs))

    def in_words(self, answers: np.ndarray) -> list[dict[str, Any]]:
        """Labels and probabilities of each row."""
        return self.name(answers)

    def judge(self, answers: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The log-odds of the label that was answered first."""
        return log_odds(answers, int(first.argmax()))

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
        """Each column by its plain name -> `probabilities`, `logits`, `label`; and `features`."""
        table = self.label_table(folder)
        endpoints = self.served(model, lambda logits: self.serve(logits, table))
        return Signatures(endpoints.by_name, [*endpoints.resources, table])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a logit."""
        return self.ask_both(model, served, "logits")


def _auc(logits: np.ndarray, targets: np.ndarray) -> float:
    """How often a row of the second class is more like it than one of the first; ties are half."""
    ranks, second = rankdata(logits[:, 1] - logits[:, 0]), targets == 1
    count = int(second.sum())
    least = count * (count + 1) / 2  # the sum of ranks where all of the second class come first
    return float((ranks[second].sum() - least) / (count * (len(targets) - count)))
