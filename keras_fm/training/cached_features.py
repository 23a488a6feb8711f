"""A head on a frozen body learns from features: the body sees each example once, not each epoch."""

from typing import Any

import keras

from keras_fm.data.batches import Batches, dataset_from_arrays
from keras_fm.models.backbone import backbone
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import Task
from keras_fm.training.jobs import TrainingJob


def can_cache_features(recipe: Recipe) -> bool:
    """Whether the head alone learns, and the body makes the same of an example in every epoch."""
    return recipe.learns == "head" and not recipe.alters


def head_on_cached_features(
    task: Task, model: keras.Model, lesson: TrainingJob, plain: Batches
) -> tuple[keras.Model, Batches, Any]:
    """The head, whose weights are the model's own; its batches; and what it is validated on.

    Features are `[examples, width]`, float32.

    Args:
        plain: batches of the examples themselves; their targets and size stay.
    """
    head = keras.Model(model.get_layer("embedding").output, model.output)
    body = backbone(model)
    features = task.features(body, lesson.examples)
    batches = Batches(features, plain.targets, recipe=plain.recipe, seed=plain.seed)
    if lesson.validation is None:
        return head, batches, None
    asked = task.features(body, lesson.validation), task.targets(lesson.validation)
    return head, batches, dataset_from_arrays(*asked, batch_size=task.at_once)
