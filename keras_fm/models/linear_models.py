"""Linear models that are solved for, not trained: ridge and logistic regression of features."""

import keras
import numpy as np
from scipy.linalg import solve
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from keras_fm.data.examples import Examples
from keras_fm.layers.tabular_blocks import LINEAR
from keras_fm.lazy_imports import has_tensorflow, tf
from keras_fm.models.inference import SingleTraceModel, predict

MAX_ITERATIONS = 200
# Of the members of an ensemble: the penalty on the squared weights, beside the summed loss, is that
# of scikit-learn's Ridge and LogisticRegression.
MEMBER_PENALTY = 1.0
BATCH_SIZE = 2_000  # rows whose features are computed at once
MAX_CELLS = 20_000_000  # of the features that are in memory at once; of more rows some are drawn

# A kernel `[width, outputs]` and a bias `[outputs]`.
LinearModel = tuple[np.ndarray, np.ndarray]


def ridge_regression(features: np.ndarray, targets: np.ndarray, penalty: float) -> LinearModel:
    """Fit numbers by their mean squared error, and a penalty on the squared kernel.

    Args:
        features: `[rows, width]`.
        targets: `[rows]`.
        penalty: The factor of the squared kernel.
    """
    x, y = features.astype("float64"), np.asarray(targets, "float64")[:, None]
    mean, target_mean = x.mean(axis=0), y.mean(axis=0)
    centered = x - mean
    gram = centered.T @ centered / len(x) + penalty * np.eye(x.shape[1])
    kernel = solve(gram, centered.T @ (y - target_mean) / len(x), assume_a="pos")
    return kernel, target_mean - mean @ kernel


def logistic_regression(
    features: np.ndarray, targets: np.ndarray, num_classes: int, penalty: float
) -> LinearModel:
    """Fit class indices `[rows]` by their mean cross-entropy, and half of the penalty as above.

    By Newton's method.
    """
    x, rows = features.astype("float64"), np.arange(len(targets))
    products = _Products(x)
    shape = x.shape[1] + 1, num_classes

    def logits(flat: np.ndarray) -> np.ndarray:
        kernel, bias = np.split(flat.reshape(shape), [-1])
        return products.times(kernel) + bias

    def gradient(flat: np.ndarray, error: np.ndarray) -> np.ndarray:
        kernel, _ = np.split(flat.reshape(shape), [-1])
        of_kernel = products.transposed_times(error) / len(rows) + penalty * kernel
        return np.concatenate([of_kernel, error.mean(axis=0, keepdims=True)]).ravel()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        log_probabilities = log_softmax(logits(flat), axis=1)
        error = np.exp(log_probabilities)
        error[rows, targets] -= 1
        squares = np.square(flat.reshape(shape)[:-1]).sum()
        value = -log_probabilities[rows, targets].mean() + penalty / 2 * squares
        return float(value), gradient(flat, error)

    def hessian_product(flat: np.ndarray, direction: np.ndarray) -> np.ndarray:
        probabilities, change = softmax(logits(flat), axis=1), logits(direction)
        change = probabilities * (change - (probabilities * change).sum(axis=1, keepdims=True))
        return gradient(direction, change)

    solution = minimize(
        loss,
        np.zeros(shape[0] * num_classes),
        jac=True,
        hessp=hessian_product,
        method="Newton-CG",
        options={"maxiter": MAX_ITERATIONS},
    )
    kernel, bias = np.split(solution.x.reshape(shape), [-1])
    return kernel, bias[0]


class _Products:
    """Products with a float64 matrix, those of TensorFlow where it is installed.

    The threads of the BLAS that NumPy's products and SciPy's L-BFGS use wait for each other in a
    loop. For products as small as these that takes a hundred times as long as they do, on a machine
    that has other work.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self.tensor = tf.constant(x, tf.float64) if has_tensorflow() else None

    def times(self, matrix: np.ndarray) -> np.ndarray:
        if self.tensor is None:
            return self.x @ matrix
        return tf.matmul(self.tensor, matrix).numpy()

    def transposed_times(self, matrix: np.ndarray) -> np.ndarray:
        if self.tensor is None:
            return self.x.T @ matrix
        return tf.matmul(self.tensor, matrix, transpose_a=True).numpy()


def fit_members(model: keras.Model, examples: Examples) -> None:
    """Set the weights of the layer `LINEAR` of an ensemble whose members leave folds out.

    Args:
        model: The ensemble; the statistics of its columns and of the target are set.
        examples: Encoded columns, targets and folds.
    """
    layer = model.get_layer(LINEAR)
    width, rows = layer.input.shape[-1], np.arange(len(examples))
    if len(rows) * width > MAX_CELLS:
        rows = np.random.default_rng(0).choice(rows, MAX_CELLS // width, replace=False)
    drawn = examples.subset(rows, examples.description)
    assert drawn.folds is not None, "members leave folds out"
    features = predict(SingleTraceModel(model.input, layer.input), drawn.inputs, BATCH_SIZE)
    is_classifier = len(model.output.shape) > 1
    targets = np.asarray(drawn.targets) if is_classifier else _standardized(model, drawn.targets)

    def fit(learned: np.ndarray) -> LinearModel:
        x, y, penalty = features[learned], targets[learned], MEMBER_PENALTY / learned.sum()
        if is_classifier:
            return logistic_regression(x, y, model.output.shape[-1], penalty)
        return ridge_regression(x, y, penalty)

    members = [fit(drawn.folds != fold) for fold in range(layer.kernel.shape[0])]
    layer.set_weights([np.stack(arrays) for arrays in zip(*members, strict=True)])


def _standardized(model: keras.Model, targets: np.ndarray) -> np.ndarray:
    """Return the targets of a regression in the unit of its members, before the layer `scale`."""
    names = {layer.name for layer in model.layers}
    values, scale = targets.astype("float64"), model.get_layer("scale")
    if "rescaling" in names:
        values = values / model.get_layer("rescaling").scale
    values = np.log(values) if "exponential" in names else values
    mean, variance = (keras.ops.convert_to_numpy(x) for x in (scale.mean, scale.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return (values - mean.ravel()) / deviation.ravel()
