"""How much each part of an input counts for what a model answers: the methods of `explain`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fm.errors import InvalidInputError

GRID = 8  # an image is occluded by squares of two steps a side, so many steps each way


Place = tuple[slice, slice]


@dataclass(frozen=True)
class Attribution:
    """What counts for the answer to one input.

    answer: what `pipeline` answers.
    scores: float32, of each part `[parts]`, of an image `[rows, columns]`.
    parts: words, pieces of words, or columns of a table with their values; none of an image.
    image: as the model sees it, uint8 `[rows, columns, channels]`.
    attention: of a text, `[blocks, heads, pieces, pieces]`: how much of what each piece (third
        axis) takes up comes from which (fourth axis); each row of it adds up to 1.
    """

    answer: dict[str, Any]
    scores: np.ndarray
    parts: tuple[str, ...] = ()
    image: np.ndarray | None = None
    attention: np.ndarray | None = None


def log_odds(logits: np.ndarray, label: int) -> np.ndarray:
    """Of one label against all others: `[..., classes]` -> `[...]`."""
    others = np.delete(logits, label, axis=-1)
    return logits[..., label] - np.logaddexp.reduce(others, axis=-1)


def occluded_squares(image: np.ndarray) -> Iterator[tuple[Place, np.ndarray]]:
    """Places, and the image with the square there in its mean colour.

    Source: Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks"
    (arXiv:1311.2901).
    """
    colour = image.mean(axis=(0, 1))
    steps = [max(1, side // GRID) for side in image.shape[:2]]
    for top in range(0, image.shape[0] - steps[0], steps[0]):
        for left in range(0, image.shape[1] - steps[1], steps[1]):
            place = slice(top, top + 2 * steps[0]), slice(left, left + 2 * steps[1])
            occluded = image.copy()
            occluded[place] = colour
            yield place, occluded


def upsample_scores(
    places: Sequence[Place], scores: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Scores of squares as those of pixels, `[rows, columns]`: the mean of those that hide it."""
    total, count = np.zeros(shape[:2], "float32"), np.zeros(shape[:2], "float32")
    for place, score in zip(places, scores, strict=True):
        total[place] += score
        count[place] += 1
    return total / np.maximum(count, 1)


def grad_cam(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Where the last maps of a CNN speak for its answers: `[batch, rows, columns]`, 0 to 1.

    Source: Selvaraju et al. 2016, "Grad-CAM" (arXiv:1610.02391).

    Raises:
        InvalidInputError: Keras does not run on TensorFlow, or the model has no maps.
    """
    if keras.backend.backend() != "tensorflow":
        raise InvalidInputError(
            f"grad_cam needs TensorFlow; Keras runs on {keras.backend.backend()}: "
            'take method="occlusion"'
        )
    import tensorflow as tf

    maps = [layer for layer in model.layers if _is_map(layer.output)]
    if not maps:
        raise InvalidInputError(f'{model.name} has no maps of an image: take method="occlusion"')
    ends = keras.Model(model.input, [maps[-1].output, model.output])
    with tf.GradientTape() as tape:
        features, logits = ends(images, training=False)
        answer = tf.reduce_max(tf.cast(logits, tf.float32), axis=-1)
    slopes = tape.gradient(answer, features)
    weight = tf.reduce_mean(tf.cast(slopes, tf.float32), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weight * tf.cast(features, tf.float32), axis=-1, keepdims=True))
    heat = tf.image.resize(heat, images.shape[1:3])[..., 0].numpy()
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-9)


def attention(model: keras.Model, inputs: Any) -> np.ndarray:
    """What a text's model attends to: `[batch, blocks, heads, from, to]`.

    Raises:
        InvalidInputError: the model has no attention.
    """
    layers = [x for x in model.layers if isinstance(x, keras.layers.MultiHeadAttention)]
    if not layers:
        raise InvalidInputError(f'{model.name} has no attention: take method="occlusion"')
    blocks = []
    for layer in layers:
        query, value, *mask = keras.Model(model.input, layer.input)(inputs, training=False)
        _, shares = layer(
            query, value, attention_mask=mask[0] if mask else None, return_attention_scores=True
        )
        blocks.append(np.asarray(ops.cast(shares, "float32")))
    return np.stack(blocks, axis=1)


def rollout(blocks: np.ndarray) -> np.ndarray:
    """How much of what stands at each place in the end comes from where: `[from, to]`.

    Half of what leaves a block is what came in.
    Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers" (arXiv:2005.00928).

    Args:
        blocks: `[blocks, heads, from, to]`.
    """
    flow = np.eye(blocks.shape[-1])
    for shares in blocks.mean(axis=1):
        flow = (shares + np.eye(len(shares))) / 2 @ flow
    return flow


def _is_map(tensor: Any) -> bool:
    shape = tuple(getattr(tensor, "shape", ()))
    return len(shape) == 4 and shape[1] > 1
