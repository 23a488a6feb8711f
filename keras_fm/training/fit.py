"""Trains a model into a run directory, evaluates it and saves it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_fm import adapters
from keras_fm.data.batches import Batches, SetEpoch
from keras_fm.distribution.devices import copy_variables, current_devices
from keras_fm.evaluation.evaluation import evaluate_model
from keras_fm.evaluation.permutation_importance import permutation_importance
from keras_fm.interrupts import interruptible
from keras_fm.logs import left_out
from keras_fm.models import run_files
from keras_fm.models.building import as_float32
from keras_fm.models.inference import TRACE_COUNT
from keras_fm.models.weights import save_weights
from keras_fm.progress import DelayedBar, current_verbose
from keras_fm.registry.recipe import OWN_DATA, Recipe
from keras_fm.tasks.base import task_of
from keras_fm.trainers.fold_ensemble import FoldEnsembleTrainer
from keras_fm.training import event_files, hparams, monitoring, results, runs
from keras_fm.training.announcements import announce_stage
from keras_fm.training.averaged_weights import AveragedWeights, LastWeights
from keras_fm.training.cached_features import can_cache_features, head_on_cached_features
from keras_fm.training.calibration import calibrated
from keras_fm.training.checkpoints import EpochCheckpoint
from keras_fm.training.cross_validation import MemberEarlyStopping, members_by_folds
from keras_fm.training.distillation import distill
from keras_fm.training.early_stopping import EarlyStopping
from keras_fm.training.endings import classes_of, describe_ending, describe_loss
from keras_fm.training.jobs import TrainingJob

FOLDS_SECONDS = 5.0  # between two checkpoints of an ensemble by folds


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
    recipe, objective = job.recipe, job.task.objective
    # An epoch of an ensemble by folds is often shorter than the writing of its state.
    checkpoint = EpochCheckpoint(path / "checkpoints", FOLDS_SECONDS if job.spec.folds else 0.0)
    trained_part, batches, validation = _parts(model, job, checkpoint.folder)
    adapters.keep_separate(model)
    devices = current_devices()
    train_batches = batches
    if can_cache_features(recipe):
        trained_part, train_batches, validation = head_on_cached_features(model, job, batches)
    steps = len(train_batches) * recipe.epochs
    replica = devices.replicate(trained_part)
    with devices.building():
        trainer = objective.compiled_model(replica, recipe, steps)
        devices.prepare(trainer)
        if not trainer.optimizer.built:
            # Variables that are made in the first step have TensorFlow trace that step twice.
            trainer.optimizer.build(trainer.trainable_variables)
    validated = trainer
    if not devices.validates:
        validated = objective.compiled_model(trained_part, recipe, steps)
    announce_stage(model, job, train_batches, checkpoint.last_epoch)
    with devices.running():
        early_stopping = _early_stopping(validated, recipe, validation, checkpoint.folder)
    averaged = _averaged_weights(trainer, train_batches)
    with devices.building():
        initial_epoch = checkpoint.restore(trainer)
    history = run_files.read_history(path / run_files.HISTORY)[:initial_epoch]
    is_over = not all(callback.restore(history) for callback in early_stopping)
    with devices.running(), left_out("tensorflow", TRACE_COUNT), interruptible() as interrupt:
        trainer.fit(
            devices.training_data(train_batches.as_dataset()),
            initial_epoch=initial_epoch,
            epochs=initial_epoch if is_over else recipe.epochs,
            validation_data=validation if devices.validates else None,
            class_weight=None if job.spec.folds else objective.class_weight(job.examples, recipe),
            callbacks=[
                interrupt,
                SetEpoch(train_batches),
                *averaged,
                *devices.callbacks(replica, trained_part, validation),
                *monitoring.callbacks(path, batches, job, model),
                *job.callbacks,
                *early_stopping,
                *map(LastWeights, averaged),
                checkpoint,
            ],
            shuffle=False,  # the batches were shuffled, by seed and epoch
            verbose=current_verbose(),
        )
    if replica is not trained_part:
        copy_variables(replica, trained_part)
    trained = _final_model(model, job, path)
    save_weights(trained, path / run_files.WEIGHTS)  # evaluation may take minutes, or fail
    outputs = None if job.validation is None else objective.outputs(trained, job.validation)
    trained, calibration = calibrated(trained, job, path, outputs)
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
        cross_validated=job.validation is job.examples,
        importance=_importance(trained, job),
        steps_per_epoch=len(train_batches),
        calibration=calibration,
    )
    checkpoint.clear()
    return run


def _parts(model: keras.Model, job: TrainingJob, folder: Path) -> tuple[keras.Model, Batches, Any]:
    """Return what of a model is trained, the batches, and what validates an epoch, if anything."""
    if job.spec.folds:
        return members_by_folds(model, job)
    data = job.task.data
    validation = None if job.validation is None else data.validation_dataset(job.validation)
    if job.recipe.teacher:
        return *distill(model, job, folder), validation
    return model, data.batches(job.examples, job.recipe, job.seed), validation


def _early_stopping(
    trainer: keras.Model, recipe: Recipe, validation: Any, folder: Path
) -> list[EarlyStopping | MemberEarlyStopping]:
    """Early stopping, where the recipe asks for it and there is validation data."""
    has_members = isinstance(trainer, FoldEnsembleTrainer)
    if not has_members and (not recipe.patience or validation is None):
        return []
    bar = DelayedBar("the validation loss before the training")
    with left_out("tensorflow", TRACE_COUNT), interruptible() as interrupt:
        initial = trainer.evaluate(
            validation, verbose=0, return_dict=True, callbacks=[interrupt, bar]
        )
    if has_members:
        return [MemberEarlyStopping(folder, recipe.patience, trainer.member_losses)]
    return [EarlyStopping(folder, recipe.patience, initial["loss"])]


def _averaged_weights(trainer: keras.Model, batches: Batches) -> list[AveragedWeights]:
    """Return the callback that validates averaged weights, where the optimizer averages them."""
    return [AveragedWeights(batches)] if trainer.optimizer.use_ema else []


def _final_model(model: keras.Model, job: TrainingJob, path: Path) -> keras.Model:
    """Return the trained model in float32; adapters are merged, and kept in a file beside it."""
    if job.spec.folds and all(x.compute_dtype == "float32" for x in model.layers):
        return model  # its members were what `fit` had; its graph may be traced already
    if job.recipe.trainable != "adapters":
        return as_float32(model)
    adapters.save(model, path / f"adapters{adapters.SUFFIX}")
    return adapters.merge(model)


def _importance(model: keras.Model, job: TrainingJob) -> dict[str, float]:
    """Return the permutation importance of the columns of a user's own table."""
    is_own_table = job.recipe.dataset == OWN_DATA and isinstance(job.examples.inputs, dict)
    if not is_own_table or job.validation is None:
        return {}
    return permutation_importance(model, job.validation, job.seed)


def _evaluate_and_log(
    model: keras.Model, job: TrainingJob, path: Path, outputs: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics and baseline on the validation examples; TensorBoard shows them, and images."""
    metrics: dict[str, float] = {}
    baseline: dict[str, float] = {}
    task, validation = job.task, job.validation
    if validation is not None:
        baseline = task.objective.baseline(job.examples, validation)
        summaries = task_of(model).summaries  # of the calibrated model
        if event_files.can_write():
            results.write_results(path, summaries, model, outputs, validation)
        metrics = evaluate_model(model, validation, outputs=outputs)
    run_info = run_files.read_run(path)
    method = run_info.get("strategy") or f"from {Path(run_info['init_from']).name}"
    hparams.write_hparams(path, job, metrics, method)
    return metrics, baseline
