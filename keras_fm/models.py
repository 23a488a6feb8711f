"""From a name to a Keras model: build it, load its weights, give it another head."""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_fm import registry
from keras_fm import weights as weights_files
from keras_fm.entry import Entry
from keras_fm.errors import InvalidInputError, UnknownNameError, suggest

HEAD = "logits"


@dataclass(frozen=True)
class Identity:
    """What a model object is, beside its layers: the zoo's entry, and the labels of its outputs."""

    entry: Entry
    labels: tuple[str, ...]


def get(
    name: str,
    *,
    weights: str | os.PathLike[str] | None = "default",
    num_classes: int | None = None,
    **overrides: Any,
) -> keras.Model:
    """Builds a model of the zoo and loads its pretrained weights.

    The model is a plain functional `keras.Model` in float32. It takes raw inputs (images 0..255)
    and answers logits, `[batch, classes]`; the layer before `logits` is the embedding.

    Args:
        name: `"model"` or `"model.tag"`.
        weights: "default", a tag, a path, a URL ending in `#sha256=…`, or None for random weights.
        num_classes: another number of classes: a new random head on the pretrained body.
        **overrides: arguments of the model's own `build`.

    Raises:
        UnknownNameError: no such model, tag or argument.
        WeightsError: the weights file is missing, altered, or does not fit.

    Example:
        >>> model = keras_fm.get("cifar_cnn")
        >>> model.predict(images)  # uint8 or float, [batch, 32, 32, 3], 0..255
    """
    room, tag = registry.find(name)
    labels = room.entry.labels
    if num_classes is not None and (not isinstance(num_classes, int) or num_classes < 2):
        raise InvalidInputError(f"num_classes is a whole number from 2; received {num_classes!r}")
    if weights is None:
        return build(room, num_classes or len(labels), **overrides)
    model = build(room, len(labels), **overrides)
    weights_files.load(model, weights_files.resolve(room, weights, tag))
    if num_classes in (None, len(labels)):
        return model
    return with_head(model, _numbered(num_classes), **overrides)


def build(room: registry.Room, num_classes: int, **overrides: Any) -> keras.Model:
    """Builds the room's model with random weights."""
    builder = room.module("model").build
    _check_overrides(room.name, builder, overrides)
    model = builder(num_classes=num_classes, **overrides)
    labels = room.entry.labels
    if num_classes != len(labels):
        labels = _numbered(num_classes)
    return mark(model, Identity(room.entry, tuple(labels)))


def mark(model: keras.Model, identity: Identity) -> keras.Model:
    """Lets the model carry its identity into `pipeline`, `evaluate` and `export`."""
    model.keras_fm_identity = identity
    return model


def identify(model: keras.Model) -> Identity:
    """The identity that the model carries.

    Raises:
        InvalidInputError: the model does not come from keras_fm.
    """
    identity = getattr(model, "keras_fm_identity", None)
    if not isinstance(identity, Identity):
        raise InvalidInputError(
            f"expected a model from keras_fm.get, train or fine_tune, which knows its labels; "
            f"received the {type(model).__name__} {getattr(model, 'name', model)!r}"
        )
    return identity


def with_head(model: keras.Model, labels: Sequence[str], **overrides: Any) -> keras.Model:
    """A new model with the body's weights of `model` and a random head for `labels`."""
    identity = identify(model)
    room, _ = registry.find(identity.entry.name)
    fresh = build(room, len(labels), **overrides)
    _copy_weights(model, fresh, but=HEAD)
    return mark(fresh, Identity(identity.entry, tuple(labels)))


def in_float32(model: keras.Model) -> keras.Model:
    """The same model with the same weights, computing in float32 whatever it was trained in."""
    identity = identify(model)
    room, _ = registry.find(identity.entry.name)
    copy = build(room, len(identity.labels))
    _copy_weights(model, copy)
    return mark(copy, identity)


def _copy_weights(source: keras.Model, target: keras.Model, but: str | None = None) -> None:
    for layer in target.layers:
        if layer.name != but:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _numbered(count: int) -> list[str]:
    return [f"class {index}" for index in range(count)]


def _check_overrides(name: str, builder: Callable[..., Any], overrides: dict[str, Any]) -> None:
    known = set(inspect.signature(builder).parameters) - {"num_classes"}
    for override in overrides:
        if override not in known:
            raise UnknownNameError(
                f"{name!r} has no argument {override!r}. {suggest(override, known)}"
            )
