"""From a name to a Keras model: build it, load its weights, give it another head."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm import registry, store
from keras_fm.errors import InvalidInputError, UnknownNameError, WeightsError
from keras_fm.models import keras_file, run_files
from keras_fm.models import weights as weights_files
from keras_fm.models.building import build, replace_head
from keras_fm.models.spec import ModelSpec, _numbered, default_spec, spec_of
from keras_fm.models.transfer import transfer_weights


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
    if run_files.is_model_path(name):
        if weights != "default" or overrides:
            raise InvalidInputError(f"{name} has weights and arguments of its own; give none")
        model = load_file(Path(name))
        return model if num_classes is None else replace_head(model, _numbered(num_classes))
    room, tag = registry.find(str(name))
    tag = weights if isinstance(weights, str) and weights in room.entry.weights else tag
    if num_classes is not None and tag is None and weights == "default":
        tag = _pretraining_tag(room)
    own = _identity_with(room, tag)
    asked = own if num_classes is None else default_spec(room, num_classes)
    if weights is None:
        return build(room, asked, **overrides)
    model = build(room, own, **overrides)
    _load_weights(model, room, store.resolve(room, weights, tag))
    if asked.task != own.task:  # pretrained on another task
        fresh = build(room, asked, **overrides)
        transfer_weights(model, fresh)
        return fresh
    return model if asked == own else replace_head(model, asked.labels, **overrides)


def _load_weights(
    model: keras.Model, room: registry.ModelPackage, source: store.WeightsFile
) -> None:
    """Loads them; of weights that were released once and fit no more, the error says why."""
    try:
        weights_files.load_weights(model, source)
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
    about = run_files.read_complete_run(path)
    room, _ = registry.find(about["model"])
    model = build(room, ModelSpec.read(room.entry, about))
    weights_files.load_weights(model, store.WeightsFile(path / "model.weights.h5"))
    return model


def load_file(path: Path) -> keras.Model:
    """The model of a run directory, or of a `.keras` file that one of ours was saved as."""
    if path.suffix != run_files.SUFFIX:
        return load_run(path)
    keras_file.check_keras_file(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} can't be opened as a Keras model: {reason}") from None
    spec_of(model)
    return model


def _pretraining_tag(room: registry.ModelPackage) -> str | None:
    """The tag of the weights that know the room's other task, where it has one."""
    records = room.entry.weights.items()
    return next((tag for tag, record in records if record.task is not None), None)


def _identity_with(room: registry.ModelPackage, tag: str | None) -> ModelSpec:
    """The identity of the room's model with these weights."""
    if tag is not None and room.entry.weights_of(tag).task is not None:
        return ModelSpec.of_pretraining(room.entry)
    return ModelSpec.of(room.entry)


def resolve_model(name_or_model: str | os.PathLike[str] | keras.Model) -> keras.Model:
    """What the public functions take: a model, or what `get` opens."""
    if isinstance(name_or_model, keras.Model):
        return name_or_model
    if not isinstance(name_or_model, (str, os.PathLike)):
        raise UnknownNameError(
            "expected a model's name, a run directory or a Keras model; received "
            f"{type(name_or_model).__name__}"
        )
    return get(name_or_model)
