"""The two parts of a model: the backbone up to its embedding, and the head behind it."""

import keras

EMBEDDING_LAYER = "embedding"


def head_layers(model: keras.Model) -> set[str]:
    """The names of a model's layers behind `embedding`: what another task needs anew."""
    names = [layer.name for layer in model.layers]
    return set(names[names.index(EMBEDDING_LAYER) + 1 :])


def backbone(model: keras.Model) -> keras.Model:
    """The model up to its embedding."""
    return keras.Model(model.input, model.get_layer("embedding").output)
