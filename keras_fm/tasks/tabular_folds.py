"""Ensembles of models of tables whose members leave a fold of the rows out."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_fm.layers.tabular_blocks import MEMBERS
from keras_fm.models.inference import SingleTraceModel
from keras_fm.models.inference import predict as predict_outputs

# A training takes `STEP_FACTOR` times the root of the rows as steps, within limits.
STEP_FACTOR, MIN_STEPS, MAX_STEPS = 20, 300, 1000
MIN_EPOCHS = 3
MIN_ROWS = 5  # in a fold
MEAN_BATCH_SIZE = 10_000  # rows whose members' mean is taken at once


def fold_fields(num_examples: int, recipe: Any) -> dict[str, Any]:
    """Return the recipe fields for so many rows, all of which train.

    An epoch, after which the members are validated, has several passes over a small table.
    """
    batch_size = int(np.clip(num_examples // 4, 8, recipe.batch_size))
    steps = np.clip(STEP_FACTOR * num_examples**0.5, MIN_STEPS, MAX_STEPS)
    passes = steps * batch_size / num_examples
    epochs = int(np.clip(passes, MIN_EPOCHS, recipe.epochs))
    return {
        "validation_examples": 0,
        "batch_size": batch_size,
        "epochs": epochs,
        "passes_per_epoch": max(1, round(passes / epochs)),
        "folds": min(recipe.folds, max(2, num_examples // MIN_ROWS)),
    }


def out_of_fold_outputs(
    model: keras.Model, folds: np.ndarray, predict: Callable[[keras.Model], np.ndarray]
) -> np.ndarray:
    """Return a model's outputs for rows that it learned from, by the member that left out each.

    Args:
        model: Its layer `MEMBERS` has the outputs of each member.
        folds: `[rows]`; member `m` left out fold `m`.
        predict: Returns another model's outputs for the inputs of all rows.
    """
    members, mean = _parts_of(model)
    by_member = predict(members)
    own = by_member[np.arange(len(folds)), folds]
    # The mean of members that all say the same is what that one member says.
    alike = np.repeat(own[:, None], by_member.shape[1], axis=1)
    return predict_outputs(mean, alike, MEAN_BATCH_SIZE)


def _parts_of(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return the members of an ensemble, and their mean; made once, as each is traced once."""
    parts = model.__dict__.get("_keras_fm_fold_parts")
    if parts is None:
        outputs = model.get_layer(MEMBERS).output
        parts = SingleTraceModel(model.input, outputs), SingleTraceModel(outputs, model.output)
        # Not by Keras' `__setattr__`, which would take them for layers of the model.
        object.__setattr__(model, "_keras_fm_fold_parts", parts)
    return parts
