"""What is known of a calibrated classifier, and what it says of logits."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import logsumexp, softmax

from keras_fm.errors import DataError
from keras_fm.file_errors import reason_of
from keras_fm.files import atomic_write

FILE = "calibration.json"  # beside the weights of a run, and in `assets.extra` of an export

Score = Literal["energy", "log_odds"]


@dataclass(frozen=True)
class Calibration:
    """The numbers with which a classifier says how sure it is, fitted on held-out examples.

    Attributes:
        temperature: What the logits are divided by (Guo et al. 2017, arXiv:1706.04599).
        threshold: The smallest calibrated probability of a class in a prediction set. The sets are
            those of split conformal prediction with the probability of a class as its conformity
            (LAC: Sadinle et al. 2019, arXiv:1609.00451); the predicted class is always in it.
        coverage: The share of new inputs, drawn as the examples were, whose class is in the set,
            and of those that are in distribution: at least so many on average over calibrations.
        score: `"energy"`, the logsumexp of the logits (Liu et al. 2020, arXiv:2010.03759); or
            `"log_odds"` of the predicted class, which rank as its probability (Hendrycks and Gimpel
            2017, arXiv:1610.02136), of an ensemble whose logits are normalized, and have no energy.
        lowest_score: Of inputs that are in distribution.
        highest_score: The same: far outside the training data logits may grow without bounds.
        num_examples: On how many the thresholds were fitted.
        num_temperature_examples: On how many others the temperature was.
        data: What the examples were.
        data_sha256: Of all of them.
    """

    temperature: float
    threshold: float
    coverage: float
    score: Score
    lowest_score: float
    highest_score: float
    num_examples: int
    num_temperature_examples: int
    data: str
    data_sha256: str

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, float64 `[examples, classes]`."""
        return softmax(np.asarray(logits, "float64") / self.temperature, axis=-1)

    def prediction_sets(self, logits: np.ndarray) -> np.ndarray:
        """Return which classes are in the set of each example, bool `[examples, classes]`."""
        probabilities = self.probabilities(logits)
        predicted = np.argmax(logits, axis=-1)[..., None] == np.arange(probabilities.shape[-1])
        return (probabilities >= self.threshold) | predicted

    def in_distribution(self, logits: np.ndarray) -> np.ndarray:
        """Return whether each input is like those that were held out, bool `[examples]`."""
        return self.in_distribution_scores(logits) >= 0

    def in_distribution_scores(self, logits: np.ndarray) -> np.ndarray:
        """Return how far inside the limits each score is, float64 `[examples]`.

        It is below 0 where the input is not in distribution; up to the highest score that was held
        out, it ranks as the score does.
        """
        scores = distribution_scores(logits, self.score)
        return np.minimum(scores - self.lowest_score, self.highest_score - scores)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":
        """Return what `to_dict` made a dict of; fields of a later version are left out."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})

    def __str__(self) -> str:
        """Return it in a sentence."""
        return (
            f"temperature {self.temperature:.3g} by {self.num_temperature_examples:,} and "
            f"thresholds for a coverage of {self.coverage:.3g} by {self.num_examples:,} other "
            f"examples of {self.data}"
        )


def distribution_scores(logits: np.ndarray, score: Score) -> np.ndarray:
    """Return the in-distribution score of each example, float64 `[examples]`; high is familiar."""
    logits = np.asarray(logits, "float64")
    if score == "energy":
        return logsumexp(logits, axis=-1)
    is_predicted = logits.argmax(-1)[..., None] == np.arange(logits.shape[-1])
    return logits.max(axis=-1) - logsumexp(np.where(is_predicted, -np.inf, logits), axis=-1)


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON, whole or not at all."""
    with atomic_write(path) as stream:
        stream.write(json.dumps(calibration.to_dict(), indent=2) + "\n")


def load_calibration(path: Path) -> Calibration:
    """Read what `save_calibration` wrote.

    Raises:
        DataError: It can't be read.
    """
    try:
        return Calibration.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} holds no calibration: {reason_of(error)}") from None
