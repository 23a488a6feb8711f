"""Trains a model into a run directory, evaluates it and saves it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_fm import adapters
from keras_fm.data.batches import SetEpoch
from keras_fm.evaluation.evaluation import evaluate_model
from keras_fm.logs import left_out
from keras_fm.models import run_files
from keras_fm.models.building import as_float32
from keras_fm.models.inference import TRACE_COUNT
from keras_fm.models.weights import save_weights
from keras_fm.progress import DelayedBar, current_verbose
from keras_fm.registry.recipe import Recipe
from keras_fm.training import monitoring, runs
from keras_fm.training.announcements import announce_stage
from keras_fm.training.cached_features import can_cache_features, head_on_cached_features
from keras_fm.training.checkpoints import EpochCheckpoint
from keras_fm.training.distillation import distill
from keras_fm.training.early_stopping import EarlyStopping
from keras_fm.training.endings import classes_of, describe_ending, describe_loss
from keras_fm.training.jobs import TrainingJob


def fit(
    model: keras.Model,
    job: TrainingJob,
    path: Path,
    *,
    comparisons: Mapping[str, dict[str, float]] | None = None,
) -> runs.Run:
    """Train a model into the run directory `path`; resume from its checkpoint if there is one.

    Args:
        model: The initial model.
        job: The training.
        path: Whose `run.json` is written.
        comparisons: The metrics of other methods on the same validation examples, for the report.
    """
    task, recipe = job.task, job.recipe
    checkpoint = EpochCheckpoint(path / "checkpoints")
    if recipe.teacher:
        trained_part, batches = distill(model, job, checkpoint.folder)
    else:
        trained_part, batches = model, task.data.batches(job.examples, recipe, job.seed)
    adapters.keep_separate(model)
    if can_cache_features(recipe):
        trained_part, train_batches, validation = head_on_cached_features(model, job, batches)
    else:
        train_batches, validation = batches, None
        if job.validation is not None:
            validation = task.data.validation_dataset(job.validation)
    steps = len(train_batches) * recipe.epochs
    trainer = task.objective.compiled_model(trained_part, recipe, steps)
    announce_stage(model, job, train_batches, checkpoint.last_epoch)
    early_stopping = _early_stopping(trainer, recipe, validation, checkpoint.folder)
    initial_epoch = checkpoint.restore(trainer)
    history = run_files.read_history(path / run_files.HISTORY)[:initial_epoch]
    is_over = not all(callback.restore(history) for callback in early_stopping)
    with left_out("tensorflow", TRACE_COUNT):
        trainer.fit(
            train_batches.as_dataset(),
            initial_epoch=initial_epoch,
            epochs=initial_epoch if is_over else recipe.epochs,
            validation_data=validation,
            class_weight=task.objective.class_weight(job.examples, recipe),
            callbacks=[
                SetEpoch(train_batches),
                *monitoring.callbacks(path, batches, task, model),
                *job.callbacks,
                *early_stopping,
                checkpoint,
            ],
            shuffle=False,  # the batches were shuffled, by seed and epoch
            verbose=current_verbose(),
        )
    trained = _final_model(model, recipe, path)
    save_weights(trained, path / run_files.WEIGHTS)  # evaluation may take minutes, or fail
    outputs = None if job.validation is None else task.objective.outputs(trained, job.validation)
    metrics, baseline = _evaluate_and_log(trained, job, path, outputs)
    num_epochs = len(runs.read_history(path / run_files.HISTORY))
    run = runs.write_result(
        path,
        trained,
        metrics=metrics,
        baseline=baseline,
        comparisons=dict(comparisons or {}),
        ending=describe_ending(job, num_epochs, early_stopping),
        loss_note=describe_loss(job),
        num_validation=0 if job.validation is None else len(job.validation),
        per_class=classes_of(job, outputs),
    )
    checkpoint.clear()
    return run


def _early_stopping(
    trainer: keras.Model, recipe: Recipe, validation: Any, folder: Path
) -> list[EarlyStopping]:
    """Early stopping, where the recipe asks for it and there is validation data."""
    if not recipe.patience or validation is None:
        return []
    bar = DelayedBar("the validation loss before the training")
    with left_out("tensorflow", TRACE_COUNT):
        initial = trainer.evaluate(validation, verbose=0, return_dict=True, callbacks=[bar])
    return [EarlyStopping(folder, recipe.patience, initial["loss"])]


def _final_model(model: keras.Model, recipe: Recipe, path: Path) -> keras.Model:
    """Return the trained model in float32; adapters are merged, and kept in a file beside it."""
    if recipe.trainable != "adapters":
        return as_float32(model)
    adapters.save(model, path / f"adapters{adapters.SUFFIX}")
    return adapters.merge(model)


def _evaluate_and_log(
    model: keras.Model, job: TrainingJob, path: Path, outputs: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics and baseline on the validation examples; TensorBoard shows them, and images."""
    metrics: dict[str, float] = {}
    baseline: dict[str, float] = {}
    task, validation = job.task, job.validation
    if validation is not None:
        baseline = task.objective.baseline(job.examples, validation)
        if outputs is not None:
            monitoring.write_images(path, task.summaries.result_images(outputs, validation))
        monitoring.write_projector(path, task.summaries.projector_points(model, validation))
        metrics = evaluate_model(model, validation, outputs=outputs)
    run_info = run_files.read_run(path)
    method = run_info.get("strategy") or f"from {Path(run_info['init_from']).name}"
    monitoring.write_hparams(path, job, metrics, method)
    return metrics, baseline
