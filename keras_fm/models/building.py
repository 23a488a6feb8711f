"""Builds models from their specifications."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.familiar_names import suggest_option
from keras_fm.models.backbone import head_layers
from keras_fm.models.global_state import keras_settings
from keras_fm.models.precision import Precision, resolve_precision
from keras_fm.models.spec import ModelSpec, attach_spec, spec_of
from keras_fm.models.transfer import copy_weights
from keras_fm.options import to_python

_PRETRAINING_SUFFIX = "_for_pretraining"


def build(spec: ModelSpec, **overrides: Any) -> keras.Model:
    """Build a float32 model with random weights, which carries its specification.

    `build` of the package's `model.py` receives those of `num_classes`, `columns`, `target`,
    `folds` and `vocabulary_size` that it names, from the specification; `build_for_pretraining`
    likewise.

    Args:
        spec: The specification.
        **overrides: Other arguments of `build`.

    Raises:
        UnknownNameError: `build` has no such argument, or it follows from the specification.
    """
    return _build(spec, "float32", overrides)


def build_for_training(
    spec: ModelSpec, *, seed: int, precision: str = "auto", **overrides: Any
) -> keras.Model:
    """Build the model that a training starts from: float32 weights, drawn by the seed.

    Args:
        spec: The specification.
        seed: Of the weights, and of the layers that draw random numbers.
        precision: What the layers compute in.
        **overrides: Other arguments of `build`.
    """
    keras.utils.set_random_seed(seed)
    return _build(spec, resolve_precision(precision), overrides)


def adapt_function(spec: ModelSpec) -> Callable[[keras.Model, Examples], None] | None:
    """Return `adapt` of the package's `model.py`, where there is one.

    It sees the examples of a training, as the model takes them, before the training; for that of
    another task it is `adapt_for_pretraining`.
    """
    return _function(spec, "adapt")


def replace_head(model: keras.Model, class_names: Sequence[str], **overrides: Any) -> keras.Model:
    """Return a new model with the weights of the backbone, and a random head for other classes."""
    spec = spec_of(model).with_class_names(class_names)
    new_model = build(spec, **overrides)
    head = head_layers(model)
    copy_weights(model, new_model, [x.name for x in new_model.layers if x.name not in head])
    return new_model


def as_float32(model: keras.Model) -> keras.Model:
    """Return a model of the same weights that computes in float32, as no training may."""
    copy = build(spec_of(model))
    copy_weights(model, copy, [layer.name for layer in copy.layers])
    return copy


def _build(spec: ModelSpec, precision: Precision, overrides: Mapping[str, Any]) -> keras.Model:
    builder = _function(spec, "build")
    assert builder is not None, f"{spec.name} has no build{_suffix(spec)} in its model.py"
    parameters = inspect.signature(builder).parameters
    arguments = {name: value for name, value in _arguments(spec).items() if name in parameters}
    if spec.folds and "folds" not in parameters:
        raise InvalidInputError(
            f"folds is for an ensemble, each of whose members leaves one out; {spec.name} is none: "
            f"leave folds out; received {spec.folds}"
        )
    known = parameters.keys() - arguments.keys()
    for name in overrides:
        if name not in known:
            options = {*known, "weights", *(["num_classes"] if spec.labels else [])}
            hint = suggest_option(name, options, "get")
            raise UnknownNameError(f"{spec.name!r} has no argument {name!r}. {hint}")
    arguments |= {name: to_python(value) for name, value in overrides.items()}
    with keras_settings(precision):
        return attach_spec(builder(**arguments), spec)


def _function(spec: ModelSpec, name: str) -> Callable[..., Any] | None:
    return getattr(spec.package.module("model"), f"{name}{_suffix(spec)}", None)


def _suffix(spec: ModelSpec) -> str:
    return _PRETRAINING_SUFFIX if spec.is_pretraining else ""


def _arguments(spec: ModelSpec) -> dict[str, Any]:
    """Return what a specification says of a model's arguments."""
    return {
        "num_classes": len(spec.labels) or None,
        "columns": spec.inputs,
        "target": spec.target,
        "folds": spec.folds,
        "vocabulary_size": spec.vocabulary_size,
    }
