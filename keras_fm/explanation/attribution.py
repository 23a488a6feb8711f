"""How much each feature of an input counts for a prediction: the methods of `explain`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.images.loading import Photo
from keras_fm.tasks.base import ExplainablePredictor, ExplainedInput


@dataclass(frozen=True)
class Attribution:
    """The attribution of one prediction to the features of its input.

    Attributes:
        prediction: What `pipeline` returns.
        scores: Of each feature `[features]`, of an image `[rows, columns]`.
        features: Tokens, or columns of a table with their values; none of an image.
        image: As the model sees it, uint8 `[rows, columns, channels]`.
        photo: The image before it was cropped and resized.
        attention: Of a text, `[blocks, heads, tokens, tokens]`: the attention weights from each
            token (third axis) to each (fourth axis), which sum to 1.
        score: Of integrated gradients and of SHAP: the log-odds of the predicted class, or the
            value, which the scores add up to from `base_score`.
        base_score: The same of the baseline, or the mean over the background's rows.
    """

    prediction: dict[str, Any]
    scores: np.ndarray
    features: tuple[str, ...] = ()
    image: np.ndarray | None = None
    photo: Photo | None = None
    attention: np.ndarray | None = None
    score: float | None = None
    base_score: float | None = None

    @property
    def residual(self) -> float | None:
        """What the scores leave of the difference between `score` and `base_score`.

        None where the scores do not add up to anything.
        """
        if self.score is None or self.base_score is None:
            return None
        return self.score - self.base_score - float(np.sum(self.scores))


def occlusion(
    model: keras.Model, predictor: ExplainablePredictor, explained: ExplainedInput
) -> tuple[np.ndarray, np.ndarray]:
    """Occlude each feature and return by how much the prediction's score falls.

    Returns:
        The model's output `[1, ...]`; the scores, `[features]`, or of an image `[rows, columns]`.
    """
    output = predictor.predict(model, explained.inputs)
    occluded = predictor.predict(model, explained.occlusions())
    score, *_ = predictor.target_scores(output, output[0])
    scores = score - predictor.target_scores(occluded, output[0])
    if explained.image is not None:
        scores = upsample_scores(explained.regions, scores, explained.image.shape)
    return output, scores


def upsample_scores(
    regions: Sequence[tuple[slice, slice]], scores: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Return scores of pixels `[rows, columns]`: the means of the regions that cover each."""
    total, count = np.zeros(shape[:2], "float32"), np.zeros(shape[:2], "float32")
    for region, score in zip(regions, scores, strict=True):
        total[region] += score
        count[region] += 1
    return total / np.maximum(count, 1)


def grad_cam(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Compute where the last feature maps of a CNN speak for its prediction, from 0 to 1.

    Source: Selvaraju et al. 2016, "Grad-CAM" (arXiv:1610.02391).

    Args:
        model: The model.
        images: `[batch, rows, columns, channels]`.

    Returns:
        `[batch, rows, columns]`.

    Raises:
        InvalidInputError: Keras does not run on TensorFlow, or the model has no feature maps.
    """
    if keras.backend.backend() != "tensorflow":
        raise InvalidInputError(
            f"grad_cam needs TensorFlow; Keras runs on {keras.backend.backend()}: "
            'take method="occlusion"'
        )
    import tensorflow as tf

    maps = [layer for layer in model.layers if _is_feature_map(layer.output)]
    if not maps:
        raise InvalidInputError(f'{model.name} has no feature maps: take method="occlusion"')
    maps_and_logits = keras.Model(model.input, [maps[-1].output, model.output])
    with tf.GradientTape() as tape:
        features, logits = maps_and_logits(images, training=False)
        predicted = tf.reduce_max(tf.cast(logits, tf.float32), axis=-1)
    gradients = tape.gradient(predicted, features)
    weights = tf.reduce_mean(tf.cast(gradients, tf.float32), axis=(1, 2), keepdims=True)
    weighted = tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1, keepdims=True)
    heatmap = tf.image.resize(tf.nn.relu(weighted), images.shape[1:3])[..., 0].numpy()
    return heatmap / np.maximum(heatmap.max(axis=(1, 2), keepdims=True), 1e-9)


def attention_weights(model: keras.Model, inputs: Any) -> np.ndarray:
    """Return the attention weights of a transformer, `[batch, blocks, heads, from, to]`.

    Raises:
        InvalidInputError: The model has no attention.
    """
    layers = [x for x in model.layers if isinstance(x, keras.layers.MultiHeadAttention)]
    if not layers:
        raise InvalidInputError(f'{model.name} has no attention: take method="occlusion"')
    blocks = []
    for layer in layers:
        query, value, *mask = keras.Model(model.input, layer.input)(inputs, training=False)
        _, weights = layer(
            query, value, attention_mask=mask[0] if mask else None, return_attention_scores=True
        )
        blocks.append(np.asarray(ops.cast(weights, "float32")))
    return np.stack(blocks, axis=1)


def attention_rollout(blocks: np.ndarray) -> np.ndarray:
    """Compute attention rollout `[from, to]`; each block adds its attention to its input.

    Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers" (arXiv:2005.00928).

    Args:
        blocks: `[blocks, heads, from, to]`.
    """
    rollout = np.eye(blocks.shape[-1])
    for weights in blocks.mean(axis=1):
        rollout = (weights + np.eye(len(weights))) / 2 @ rollout
    return rollout


def _is_feature_map(tensor: Any) -> bool:
    shape = tuple(getattr(tensor, "shape", ()))
    return len(shape) == 4 and shape[1] > 1
