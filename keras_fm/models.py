"""From a name to a Keras model: build it, load its weights, give it another head."""

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm import archive, registry, saved, store, tasks
from keras_fm import weights as weights_files
from keras_fm.errors import InvalidInputError, UnknownNameError, WeightsError, suggest
from keras_fm.identity import Identity, identify, mark

BODY_END = "embedding"


def get(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = "default",
    num_classes: int | None = None,
    **overrides: Any,
) -> keras.Model:
    """Builds a model of the zoo and loads its pretrained weights.

    The model is a plain functional `keras.Model` in float32, with telling names of its inputs and
    layers. A classifier answers `logits`, `[batch, classes]`, a regression `value`, `[batch]`; the
    layer `embedding` is what they are made from.

    Args:
        name: `"model"` or `"model.tag"`; or the path of a run directory or of a `.keras` file,
            which has weights of its own. (`keras.models.load_model` opens the latter too, where
            `keras_fm` was imported after `keras`.)
        weights: "default", a tag, a path, a URL ending in `#sha256=…`, or None for random weights.
        num_classes: of a classifier: a new random head for so many on the pretrained body, also
            where the model has as many. Of a model that learned another task first, such as
            "mini_bert", it is the body from then ("mini_bert.mlm"), unless a tag says otherwise.
        **overrides: arguments of the model's own `build`.

    Raises:
        UnknownNameError: no such model, tag or argument.
        InvalidInputError: `num_classes` is below 2, or the model is no classifier.
        WeightsError: the weights file is missing, altered, or does not fit.
        RunError: there is no such run, or its training did not end.

    Example:
        >>> model = keras_fm.get("cifar_cnn")
        >>> model.predict(images)  # uint8 or float, [batch, 32, 32, 3], 0..255
    """
    whole = (int, np.integer)
    if num_classes is not None and (not isinstance(num_classes, whole) or num_classes < 2):
        raise InvalidInputError(f"num_classes is a whole number from 2; received {num_classes!r}")
    if saved.is_model(name):
        if weights != "default" or overrides:
            raise InvalidInputError(f"{name} has weights and arguments of its own; give none")
        model = _load(Path(name))
        return model if num_classes is None else with_head(model, _numbered(num_classes))
    room, tag = registry.find(str(name))
    tag = weights if isinstance(weights, str) and weights in room.entry.weights else tag
    if num_classes is not None and tag is None and weights == "default":
        tag = _pretraining_tag(room)
    own = _identity_with(room, tag)
    asked = own if num_classes is None else identity_of(room, num_classes)
    if weights is None:
        return build(room, asked, **overrides)
    model = build(room, own, **overrides)
    _load_weights(model, room, store.resolve(room, weights, tag))
    if asked.task != own.task:  # pretrained on another task
        fresh = build(room, asked, **overrides)
        start_from(model, fresh)
        return fresh
    return model if asked == own else with_head(model, asked.labels, **overrides)


def _load_weights(model: keras.Model, room: registry.Room, source: store.Source) -> None:
    """Loads them; of weights that were released once and fit no more, the error says why."""
    try:
        weights_files.load(model, source)
    except WeightsError as error:
        reason = room.entry.withdrawn.get(store.sha256_of(source.path))
        if reason is None:
            raise
        raise WeightsError(f"{error}. They are released no more: {reason}") from None


def load_run(path: Path) -> keras.Model:
    """The model of a run directory.

    Raises:
        RunError: it is none, or its training did not end.
    """
    about = saved.read_complete(path)
    room, _ = registry.find(about["model"])
    model = build(room, Identity.read(room.entry, about))
    weights_files.load(model, weights_files.Source(path / "model.weights.h5"))
    return model


def _load(path: Path) -> keras.Model:
    """The model of a run directory, or of a `.keras` file that one of ours was saved as."""
    if path.suffix != saved.SUFFIX:
        return load_run(path)
    archive.check(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} can't be opened as a Keras model: {reason}") from None
    identify(model)
    return model


def build(room: registry.Room, identity: Identity, **overrides: Any) -> keras.Model:
    """Builds the room's model with random weights; it carries `identity`."""
    task = tasks.of(identity)
    builder, given = getattr(room.module("model"), task.builder), task.build_arguments
    _check_overrides(room.name, builder, overrides, given)
    return mark(builder(**given, **overrides), identity)


def with_head(model: keras.Model, labels: Sequence[str], **overrides: Any) -> keras.Model:
    """A new model with the body's weights of `model` and a random head for `labels`."""
    identity = identify(model).with_labels(labels)
    fresh = build(_room_of(identity), identity, **overrides)
    head = head_of(model)
    copy_weights(model, fresh, only=[x.name for x in fresh.layers if x.name not in head])
    return fresh


def start_from(source: keras.Model, target: keras.Model) -> None:
    """Copies into `target` the weights of the layers that both models have, by name.

    The head is copied only where both answer the same.

    Raises:
        InvalidInputError: they have no layer in common, or one of other shapes.
    """
    theirs, own = identify(source), identify(target)
    same = all(getattr(theirs, x) == getattr(own, x) for x in ("task", "labels", "target"))
    head = set() if same else head_of(target)
    given = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in source.layers}
    shared = [
        layer
        for layer in target.layers
        if layer.weights and layer.name in given and layer.name not in head
    ]
    if not shared:
        raise InvalidInputError(f"{target.name} has no layer of {source.name} to start from")
    translated = tasks.of(own).translated(source, target)
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


def head_of(model: keras.Model) -> set[str]:
    """The names of a model's layers behind `embedding`: what another task needs anew."""
    names = [layer.name for layer in model.layers]
    return set(names[names.index(BODY_END) + 1 :])


def in_float32(model: keras.Model) -> keras.Model:
    """The same model with the same weights, computing in float32 whatever it was trained in."""
    identity = identify(model)
    copy = build(_room_of(identity), identity)
    copy_weights(model, copy, only=[layer.name for layer in copy.layers])
    return copy


def identity_of(room: registry.Room, num_classes: int | None = None) -> Identity:
    """The identity of the room's model, or of one with so many other classes."""
    identity = Identity.of(room.entry)
    return identity if num_classes is None else identity.with_labels(_numbered(num_classes))


def _numbered(num_classes: int) -> list[str]:
    return [f"class {index}" for index in range(num_classes)]


def _pretraining_tag(room: registry.Room) -> str | None:
    """The tag of the weights that know the room's other task, where it has one."""
    records = room.entry.weights.items()
    return next((tag for tag, record in records if record.task is not None), None)


def _identity_with(room: registry.Room, tag: str | None) -> Identity:
    """The identity of the room's model with these weights."""
    if tag is not None and room.entry.weights_of(tag).task is not None:
        return Identity.of_pretraining(room.entry)
    return Identity.of(room.entry)


def _room_of(identity: Identity) -> registry.Room:
    room, _ = registry.find(identity.entry.name)
    return room


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


def _check_overrides(
    name: str, builder: Callable[..., Any], overrides: dict[str, Any], given: dict[str, Any]
) -> None:
    known = set(inspect.signature(builder).parameters) - given.keys()
    for override in overrides:
        if override not in known:
            raise UnknownNameError(
                f"{name!r} has no argument {override!r}. {suggest(override, known)}"
            )
