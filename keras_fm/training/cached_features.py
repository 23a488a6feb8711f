"""Training a head on cached features: the frozen backbone sees each example once."""

from typing import Any

import keras

from keras_fm.data.batches import Batches, dataset_from_arrays
from keras_fm.models.backbone import EMBEDDING_LAYER, backbone
from keras_fm.registry.recipe import Recipe
from keras_fm.training.jobs import TrainingJob


def can_cache_features(recipe: Recipe) -> bool:
    """Return whether the head alone is trained, and no example differs from epoch to epoch."""
    return recipe.trainable == "head" and not recipe.augments


def head_on_cached_features(
    model: keras.Model, job: TrainingJob, batches: Batches
) -> tuple[keras.Model, Batches, Any]:
    """Return the head, which shares the model's weights, its batches, and its validation data.

    Args:
        model: The model.
        job: The training.
        batches: Of the examples themselves; their targets and size are kept.
    """
    task = job.task
    head = keras.Model(model.get_layer(EMBEDDING_LAYER).output, model.output)
    embed = backbone(model)
    features = task.predictor.predict_examples(embed, job.examples)
    cached = Batches(features, batches.targets, recipe=batches.recipe, seed=batches.seed)
    if job.validation is None:
        return head, cached, None
    validation_features = task.predictor.predict_examples(embed, job.validation)
    validation = dataset_from_arrays(
        validation_features, task.data.targets(job.validation), batch_size=task.data.eval_batch_size
    )
    return head, cached, validation
