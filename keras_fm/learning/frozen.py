"""A head on a frozen body learns from features: the body sees each example once, not each epoch."""

from typing import Any

import keras

from keras_fm.data.batches import Batches, in_turn
from keras_fm.learning.lessons import Lesson
from keras_fm.recipe import Recipe
from keras_fm.tasks import Task
from keras_fm.tasks.task import body_of


def is_enough(recipe: Recipe) -> bool:
    """Whether the head alone learns, and the body makes the same of an example in every epoch."""
    return recipe.learns == "head" and not recipe.alters


def on_features(
    task: Task, model: keras.Model, lesson: Lesson, plain: Batches
) -> tuple[keras.Model, Batches, Any]:
    """The head, whose weights are the model's own; its batches; and what it is validated on.

    Features are `[examples, width]`, float32.

    Args:
        plain: batches of the examples themselves; their targets and size stay.
    """
    head = keras.Model(model.get_layer("embedding").output, model.output)
    body = body_of(model)
    features = task.features(body, lesson.examples)
    batches = Batches(features, plain.targets, recipe=plain.recipe, seed=plain.seed)
    if lesson.validation is None:
        return head, batches, None
    asked = task.features(body, lesson.validation), task.targets(lesson.validation)
    return head, batches, in_turn(*asked, size=task.at_once)
