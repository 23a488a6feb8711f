"""The two parts of a model: the backbone up to its embedding, and the head behind it."""

import keras

from keras_fm.models.inference import SingleTraceModel

EMBEDDING_LAYER = "embedding"


def backbone(model: keras.Model) -> keras.Model:
    """Return the model up to its embedding; it shares the layers."""
    return SingleTraceModel(model.input, model.get_layer(EMBEDDING_LAYER).output)


def head_layers(model: keras.Model) -> set[str]:
    """Return the names of the layers behind the embedding, which other classes replace.

    Where a model has no embedding, as a generator, that is none.
    """
    names = [layer.name for layer in model.layers]
    if EMBEDDING_LAYER not in names:
        return set()
    return set(names[names.index(EMBEDDING_LAYER) + 1 :])
