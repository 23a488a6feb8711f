"""Builds models and takes them apart: backbone, head, and the copy that a training starts from."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_fm import registry, tasks
from keras_fm.errors import UnknownNameError, suggest
from keras_fm.models import precision
from keras_fm.models.backbone import head_layers
from keras_fm.models.spec import ModelSpec, attach_spec, package_of, spec_of
from keras_fm.models.transfer import copy_weights

if TYPE_CHECKING:
    from keras_fm.registry.recipe import Recipe
    from keras_fm.training.jobs import TrainingJob


def build(room: registry.ModelPackage, identity: ModelSpec, **overrides: Any) -> keras.Model:
    """Builds the room's model with random weights; it carries `identity`."""
    task = tasks.task_of(identity)
    builder, given = getattr(room.module("model"), task.builder), task.build_arguments
    _check_overrides(room.name, builder, overrides, given)
    return attach_spec(builder(**given, **overrides), identity)


def replace_head(model: keras.Model, labels: Sequence[str], **overrides: Any) -> keras.Model:
    """A new model with the body's weights of `model` and a random head for `labels`."""
    identity = spec_of(model).with_labels(labels)
    fresh = build(package_of(identity), identity, **overrides)
    head = head_layers(model)
    copy_weights(model, fresh, only=[x.name for x in fresh.layers if x.name not in head])
    return fresh


def _check_overrides(
    name: str, builder: Callable[..., Any], overrides: dict[str, Any], given: dict[str, Any]
) -> None:
    known = set(inspect.signature(builder).parameters) - given.keys()
    for override in overrides:
        if override not in known:
            raise UnknownNameError(
                f"{name!r} has no argument {override!r}. {suggest(override, known)}"
            )


def build_for_training(lesson: "TrainingJob") -> keras.Model:
    """The model that a training starts from: random weights, and what `adapt` sees in the data.

    As the task's builder is a function in the room's `model.py`, so is `adapt`, or that of the same
    ending: `build_masked_language_model`, `adapt_masked_language_model`.
    """
    keras.utils.set_random_seed(lesson.seed)
    with precision.dtype_policy(precision.resolve_precision(lesson.recipe.precision)):
        model = build(lesson.room, lesson.identity, **dynamic_image_size(lesson.recipe))
    tasks.task_of(model).check_recipe(model, lesson.recipe)
    adapt(model, lesson)
    return model


def adapt(model: keras.Model, lesson: "TrainingJob") -> None:
    """Lets the room's `adapt`, where there is one, see what there is to learn."""
    task = tasks.task_of(model)
    name = task.builder.replace("build", "adapt")
    own = getattr(lesson.room.module("model"), name, None)
    if own is not None:
        own(model, task.encode(lesson.adapting))


def dynamic_image_size(recipe: "Recipe") -> dict[str, None]:
    """What `build` is told when the images grow while it trains."""
    return {"image_size": None} if recipe.sides else {}


def as_float32(model: keras.Model) -> keras.Model:
    """The same model with the same weights, computing in float32 whatever it was trained in."""
    identity = spec_of(model)
    copy = build(package_of(identity), identity)
    copy_weights(model, copy, only=[layer.name for layer in copy.layers])
    return copy
