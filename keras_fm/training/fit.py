"""Trains a model into a run directory, evaluates it and saves it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_fm import adapters, tasks
from keras_fm.data.batches import SetEpoch
from keras_fm.data.examples import Examples
from keras_fm.models import building, run_files, weights
from keras_fm.registry.recipe import Recipe
from keras_fm.training import cached_features, monitoring, runs
from keras_fm.training.checkpoints import EpochCheckpoint
from keras_fm.training.early_stopping import EarlyStopping
from keras_fm.training.jobs import TrainingJob


def fit(
    model: keras.Model,
    lesson: TrainingJob,
    path: Path,
    *,
    compared: Mapping[str, dict[str, float]] | None = None,
) -> runs.Run:
    """Trains `model` into the run directory `path`, and measures and saves it.

    Args:
        compared: what other ways have on the same validation cut, for the report.
    """
    task, recipe, validation = tasks.task_of(model), lesson.recipe, lesson.validation
    plain = task.batches(lesson.examples, recipe, lesson.seed)
    adapters.keep_apart(model)
    if cached_features.can_cache_features(recipe):
        learns, batches, held_out = cached_features.head_on_cached_features(
            task, model, lesson, plain
        )
    else:
        held_out = None if validation is None else task.held_out(validation)
        learns, batches = model, plain
    learner = task.learner(learns, recipe, steps=len(batches) * recipe.epochs)
    checkpoints = EpochCheckpoint(path / "checkpoints")
    stopping = _stopping(learner, recipe, held_out, checkpoints.folder)
    first, last = checkpoints.restore(learner), recipe.epochs
    if not all(each.go_on(runs.read_history(path / "history.csv")[:first]) for each in stopping):
        last = first
    learner.fit(
        batches.as_dataset(),
        initial_epoch=first,
        epochs=last,
        validation_data=held_out,
        class_weight=task.class_weight(lesson.examples, recipe),
        callbacks=[
            SetEpoch(batches),
            *monitoring.callbacks(path, plain, task, model),
            *stopping,
            checkpoints,
        ],
        shuffle=False,  # the batches were shuffled, by seed and epoch
        verbose=monitoring.verbosity(),
    )
    trained = _plain(model, recipe, path)
    weights.save_weights(trained, path / "model.weights.h5")  # measuring may take minutes, or fail
    baseline = {} if validation is None else task.baseline(lesson.examples, validation)
    metrics = _close(trained, validation, path)
    about = run_files.read_run(path)
    way = about.get("strategy") or f"from {about['start']}"
    monitoring.write_hparams(path, lesson, metrics, way=way)
    run = runs.write_result(
        path, trained, metrics=metrics, baseline=baseline, compared=dict(compared or {})
    )
    checkpoints.clear()
    return run


def _stopping(
    learner: keras.Model, recipe: Recipe, held_out: Any, folder: Path
) -> list[EarlyStopping]:
    """What ends a training early, where the recipe wants it and there is what to measure."""
    if not recipe.patience or held_out is None:
        return []
    before = learner.evaluate(held_out, verbose=0, return_dict=True)
    return [EarlyStopping(folder, recipe.patience, before["loss"])]


def _plain(model: keras.Model, recipe: Recipe, path: Path) -> keras.Model:
    """The trained model in float32; adapters, which it has in its kernels, in a file beside it."""
    if recipe.learns != "adapters":
        return building.as_float32(model)
    adapters.save(model, path / f"adapters{adapters.SUFFIX}")
    return adapters.merge(model)


def _close(model: keras.Model, validation: Examples | None, path: Path) -> dict[str, float]:
    """Measures the finished model on the validation cut, and draws what it answers."""
    if validation is None:
        return {}
    task = tasks.task_of(model)
    monitoring.write_images(path, task.draw_answers(model, validation))
    monitoring.write_embeddings(path, task.embeddings(model, validation))
    return task.measure(model, validation)
