"""Copies weights from one model into another."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fm import tasks
from keras_fm.errors import InvalidInputError
from keras_fm.models.backbone import head_layers
from keras_fm.models.spec import spec_of


def transfer_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies into `target` the weights of the layers that both models have, by name.

    The head is copied only where both answer the same.

    Raises:
        InvalidInputError: they have no layer in common, or one of other shapes.
    """
    theirs, own = spec_of(source), spec_of(target)
    same = all(getattr(theirs, x) == getattr(own, x) for x in ("task", "labels", "target"))
    head = set() if same else head_layers(target)
    given = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in source.layers}
    shared = [
        layer
        for layer in target.layers
        if layer.weights and layer.name in given and layer.name not in head
    ]
    if not shared:
        raise InvalidInputError(f"{target.name} has no layer of {source.name} to start from")
    translated = tasks.task_of(own).translated(source, target)
    shared = [layer for layer in shared if layer.name not in translated]
    for layer in shared:
        if given[layer.name] != [tuple(w.shape) for w in layer.weights]:
            raise InvalidInputError(
                f"{target.name} can't start from this {source.name}: its layer {layer.name!r} has "
                "other shapes, for it was made with other arguments or for other data"
            )
    copy_weights(source, target, only=[layer.name for layer in shared])
    for name, weights in translated.items():
        target.get_layer(name).set_weights(weights)


def copy_weights(source: keras.Model, target: keras.Model, only: Sequence[str]) -> None:
    """Copies the weights of the layers of these names."""
    for name in only:
        given, layer = source.get_layer(name), target.get_layer(name)
        layer.set_weights(given.get_weights())  # also of layers inside it, as an LSTM's cell
        # As a file would carry them: a `Normalization` finishes its state on loading alone.
        state: dict[str, Any] = {}
        given.save_own_variables(state)
        # Copies: a training on JAX deletes the arrays it is given, of both models if they share.
        layer.load_own_variables({key: np.array(value) for key, value in state.items()})
