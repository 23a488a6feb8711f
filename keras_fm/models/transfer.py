"""Copies weights from one model into another."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.models.backbone import head_layers
from keras_fm.models.spec import spec_of


def transfer_weights(
    source: keras.Model,
    target: keras.Model,
    remapped: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> None:
    """Copy the weights of the layers that both models have, by name.

    The head is copied only where both predict the same.

    Args:
        source: The model to copy from.
        target: The model to copy into.
        remapped: Weights of layers of the target that take over the source's otherwise than as
            they are, such as those of another vocabulary.

    Raises:
        InvalidInputError: They have no layer in common, or one of other shapes; or the source has
            adapters, or is quantized.
    """
    check_plain(source)
    remapped = remapped or {}
    source_spec, target_spec = spec_of(source), spec_of(target)
    same_output = all(
        getattr(source_spec, name) == getattr(target_spec, name)
        for name in ("task_name", "labels", "target")
    )
    new_layers = set() if same_output else head_layers(target)
    shapes = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in source.layers}
    shared = [
        layer
        for layer in target.layers
        if layer.weights and layer.name in shapes and layer.name not in new_layers
    ]
    if not shared:
        raise InvalidInputError(f"{target.name} has no layer of {source.name} to start from")
    for layer in shared:
        expected = [tuple(weight.shape) for weight in layer.weights]
        if layer.name not in remapped and shapes[layer.name] != expected:
            raise InvalidInputError(
                f"{target.name} can't start from this {source.name}: its layer {layer.name!r} has "
                "other shapes, for it was made with other arguments or for other data"
            )
    copy_weights(source, target, [layer.name for layer in shared if layer.name not in remapped])
    for name, weights in remapped.items():
        target.get_layer(name).set_weights(weights)


def check_plain(model: keras.Model) -> None:
    """Check that the layers of a model hold the weights that they were built with, and no others.

    Raises:
        InvalidInputError: `enable_lora` gave some of them adapters, or `quantize` other weights.
    """
    for layer in model._flatten_layers():
        if mode := getattr(layer, "quantization_mode", None):
            raise InvalidInputError(
                f"{model.name} was quantized to {mode}, which only predictions and evaluations can "
                "use: take the model as it was before (`export` has a `precision` of its own)"
            )
        if getattr(layer, "lora_enabled", False):
            raise InvalidInputError(
                f"{model.name} has adapters: merge them with keras_fm.adapters.merge"
            )


def copy_weights(source: keras.Model, target: keras.Model, layer_names: Sequence[str]) -> None:
    """Copy the weights of the layers of these names.

    Raises:
        InvalidInputError: The source has adapters, or is quantized.
    """
    check_plain(source)
    for name in layer_names:
        source_layer, target_layer = source.get_layer(name), target.get_layer(name)
        # Also of layers inside it, such as an LSTM's cell.
        target_layer.set_weights(source_layer.get_weights())
        # As a file would carry them: a `Normalization` finishes its state on loading alone.
        state: dict[str, Any] = {}
        source_layer.save_own_variables(state)
        # Copies: a training on JAX deletes the arrays it is given, of both models if they share.
        target_layer.load_own_variables({key: np.array(value) for key, value in state.items()})
