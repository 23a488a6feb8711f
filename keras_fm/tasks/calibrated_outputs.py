"""What an export of a calibrated classifier says beside its logits, in stock TensorFlow."""

from __future__ import annotations

from keras_fm.calibration.calibration import Calibration
from keras_fm.lazy_imports import tf


def calibrated_outputs(calibration: Calibration, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the outputs by name; `calibration` says what they are.

    Args:
        calibration: Of the classifier.
        logits: float32 `[batch, classes]`.
    """
    probabilities = tf.nn.softmax(logits / calibration.temperature)
    classes = tf.range(tf.shape(logits)[1], dtype=tf.int64)
    is_predicted = tf.equal(tf.argmax(logits, axis=-1)[:, None], classes)
    if calibration.score == "energy":
        scores = tf.reduce_logsumexp(logits, axis=-1)
    else:
        others = tf.where(is_predicted, logits.dtype.min, logits)
        scores = tf.reduce_max(logits, axis=-1) - tf.reduce_logsumexp(others, axis=-1)
    inside = tf.minimum(scores - calibration.lowest_score, calibration.highest_score - scores)
    return {
        "calibrated_probabilities": probabilities,
        "prediction_set": (probabilities >= calibration.threshold) | is_predicted,
        "in_distribution": inside >= 0,
        "in_distribution_score": inside,
    }
