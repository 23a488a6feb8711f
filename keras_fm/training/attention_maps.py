"""Pictures of the attention of a text classifier, for TensorBoard."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.explanation.attribution import attention_weights
from keras_fm.tasks import plots
from keras_fm.tasks.base import Images, Task, task_of

_NUM_TEXTS = 3
_MAX_TOKENS = 40  # that a picture has room for
_CANDIDATES = 200  # of which the shortest texts are shown


def attention_images(model: keras.Model, examples: Examples) -> Images:
    """Return the attention maps of short texts, a picture a text; none of other models.

    Each block has a map, the mean of its heads: how much each token, a row, attends to each token,
    a column. Of a longer text the first tokens are shown.

    Args:
        model: Any.
        examples: That validated it.
    """
    task: Task = task_of(model)
    has_attention = any(isinstance(x, keras.layers.MultiHeadAttention) for x in model.layers)
    if task.spec.task_name != "text-classification" or not has_attention:
        return {}
    predictor: Any = task.predictor  # that of texts explains
    candidates = examples.inputs[:_CANDIDATES]
    shortest = sorted(range(len(candidates)), key=lambda index: len(candidates[index]))
    images = {}
    for number, index in enumerate(shortest[:_NUM_TEXTS], 1):
        [explained] = predictor.explained_inputs(candidates[index])
        [blocks] = attention_weights(model, explained.inputs)
        tokens = explained.features[:_MAX_TOKENS]
        maps = [
            plots.plot_attention(
                heads.mean(axis=0)[: len(tokens), : len(tokens)],
                tokens,
                f"block {block}, mean of {len(heads)} heads",
            )
            for block, heads in enumerate(blocks, 1)
        ]
        images[f"attention_{number}"] = np.concatenate(maps, axis=1)
    return images
