"""The linear probe: what a linear model makes of a frozen body's features.

What a fine-tuning is worth shows beside it; it costs a look at each example and some seconds.
Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"
(arXiv:1610.01644); Kornblith, Shlens and Le 2019, "Do Better ImageNet Models Transfer Better?"
(arXiv:1805.08974), for logistic regression whose penalty is chosen.
"""

from collections.abc import Callable

import keras
import numpy as np
from scipy.optimize import minimize

from keras_fm import tasks
from keras_fm.data import splitting
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes
from keras_fm.models.backbone import backbone
from keras_fm.models.spec import spec_of

MOST = 10_000  # examples; more of them move a linear model little
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # on the squared weights, beside the mean loss

# From features, targets and a penalty to what answers other features.
Fit = Callable[[np.ndarray, np.ndarray, float], Callable[[np.ndarray], np.ndarray]]


def linear_probe(model: keras.Model, examples: Examples, validation: Examples) -> dict[str, float]:
    """The metrics on `validation` of a linear model of `model`'s embedding.

    Logistic regression, or ridge regression of a quantity, on standardised features. The penalty is
    chosen on a fifth of the training examples.
    """
    task, identity = tasks.task_of(model), spec_of(model)
    quantity = not identity.labels
    some = examples.subset(slice(MOST), examples.description)
    body = backbone(model)
    features = task.features(body, some)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    features = (features - mean) / deviation
    log = quantity and identity.target is not None and identity.target.log
    targets = np.log(some.targets) if log else some.targets

    def fit(x: np.ndarray, y: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
        return _ridge(x, y, penalty) if quantity else _logistic(x, y, penalty, len(identity.labels))

    best = _choose(fit, features, targets, quantity)
    asked = (task.features(body, validation) - mean) / deviation
    answers = fit(features, targets, best)(asked)
    return task.score(np.exp(answers) if log else answers, validation)


def _choose(fit: Fit, features: np.ndarray, targets: np.ndarray, quantity: bool) -> float:
    """The penalty with the lowest loss on a fifth of the examples."""
    numbers = Examples({"number": np.arange(len(targets))}, targets, "")
    learned, asked = splitting.train_validation_split(
        numbers, len(targets) // 5, 0, regression=quantity, notes=DataNotes()
    )
    if asked is None:
        return PENALTIES[-1]
    one, other = learned.inputs["number"], asked.inputs["number"]

    def loss(penalty: float) -> float:
        answers = fit(features[one], targets[one], penalty)(features[other])
        if quantity:
            return float(np.square(answers - targets[other]).mean())
        return float(_cross_entropy(answers, targets[other])[0])

    return min(PENALTIES, key=loss)


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    mean, scale = y.mean(), y.std() or 1.0
    gram = x.T.astype("float64") @ x / len(x) + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ ((y - mean) / scale) / len(x))
    return lambda other: other @ weights * scale + mean


def _logistic(
    x: np.ndarray, y: np.ndarray, penalty: float, classes: int
) -> Callable[[np.ndarray], np.ndarray]:
    shape = (x.shape[1] + 1, classes)
    x = _with_one(x)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        value, to_logits = _cross_entropy(x @ weights, y)
        free = weights * (np.arange(shape[0]) < shape[0] - 1)[:, None]  # not the bias
        gradient = x.T @ to_logits + penalty * free
        return float(value) + penalty / 2 * float(np.square(free).sum()), gradient.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B",
                     options={"maxiter": 200})  # fmt: skip
    weights = found.x.reshape(shape)
    return lambda other: (_with_one(other) @ weights).astype("float32")


def _with_one(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1), features.dtype)], axis=1)


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the examples, in nats, and its gradient of the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    likely = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(targets))
    gradient = np.exp(likely)
    gradient[rows, targets] -= 1
    return -likely[rows, targets].mean(), gradient / len(targets)
