"""The linear probe: the metrics of a linear model of a frozen backbone's features.

It shows beside a fine-tuning what that is worth, and costs a pass over the examples and some
seconds. Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
probes" (arXiv:1610.01644); Kornblith, Shlens and Le 2019, "Do Better ImageNet Models Transfer
Better?" (arXiv:1805.08974), for logistic regression whose penalty is chosen.
"""

from collections.abc import Callable

import keras
import numpy as np
from scipy.special import log_softmax

from keras_fm.data import splitting
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.models.backbone import backbone
from keras_fm.models.linear_models import logistic_regression, ridge_regression
from keras_fm.models.spec import spec_of
from keras_fm.tasks.base import ScoredObjective, task_of

MAX_EXAMPLES = 10_000  # more of them move a linear model little
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # on the squared weights, beside the mean loss

Predict = Callable[[np.ndarray], np.ndarray]
# From features, targets and a penalty to predictions for other features.
Fit = Callable[[np.ndarray, np.ndarray, float], Predict]


def linear_probe(model: keras.Model, examples: Examples, validation: Examples) -> dict[str, float]:
    """Return the metrics on `validation` of a linear model of the embedding of `model`.

    Logistic regression, or ridge regression of a target, on standardized features. The penalty is
    chosen on a fifth of the training examples.
    """
    task, spec = task_of(model), spec_of(model)
    objective = task.objective
    assert isinstance(objective, ScoredObjective)  # classifications and regressions
    is_regression = not spec.labels
    examples = examples.subset(slice(MAX_EXAMPLES), examples.description)
    embed = backbone(model)
    features = task.predictor.predict_examples(embed, examples)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    features = (features - mean) / deviation
    log = is_regression and spec.target is not None and spec.target.log
    targets = np.log(examples.targets) if log else examples.targets

    def fit(x: np.ndarray, y: np.ndarray, penalty: float) -> Predict:
        return _fit(x, y, penalty, len(spec.labels))

    penalty = _choose_penalty(fit, features, targets, is_regression)
    validation_features = task.predictor.predict_examples(embed, validation)
    outputs = fit(features, targets, penalty)((validation_features - mean) / deviation)
    return objective.score(np.exp(outputs) if log else outputs, validation)


def _choose_penalty(
    fit: Fit, features: np.ndarray, targets: np.ndarray, is_regression: bool
) -> float:
    """Return the penalty with the lowest loss on a fifth of the examples."""
    indices = Examples({"index": np.arange(len(targets))}, targets, "")
    training, validation = splitting.train_validation_split(
        indices, len(targets) // 5, 0, regression=is_regression, notes=DataNotes()
    )
    if validation is None:
        return PENALTIES[-1]
    train_rows, rows = training.inputs["index"], validation.inputs["index"]

    def loss(penalty: float) -> float:
        outputs = fit(features[train_rows], targets[train_rows], penalty)(features[rows])
        if is_regression:
            return float(np.square(outputs - targets[rows]).mean())
        return _cross_entropy(outputs, targets[rows])

    return min(PENALTIES, key=loss)


def _fit(x: np.ndarray, y: np.ndarray, penalty: float, num_classes: int) -> Predict:
    """Fit classes, or where there are none numbers."""
    if num_classes:
        kernel, bias = logistic_regression(x, y, num_classes, penalty)
        return lambda other: (other @ kernel + bias).astype("float32")
    kernel, bias = ridge_regression(x, y, penalty)
    return lambda other: (other @ kernel + bias)[:, 0]


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean over the examples, in nats."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())
