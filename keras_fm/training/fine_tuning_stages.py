"""The stages of a fine-tuning: from random weights to compare with, the head, the main one."""

from collections.abc import Callable
from pathlib import Path

import keras

from keras_fm import adapters
from keras_fm.evaluation.linear_probe import linear_probe
from keras_fm.models import freezing, run_files
from keras_fm.models.backbone import head_layers
from keras_fm.models.spec import spec_of
from keras_fm.models.transfer import transfer_weights
from keras_fm.progress import say
from keras_fm.training import hparams, jobs, monitoring, runs
from keras_fm.training.fine_tuning_options import HEAD_STAGE, MAIN_STAGE, SCRATCH_STAGE
from keras_fm.training.fit import fit
from keras_fm.training.jobs import TrainingJob

# What the report compares with.
PROBE = "linear probe of the frozen backbone"
HEAD_ALONE = "head alone (first stage)"
TRAINED_FROM_SCRATCH = "trained from scratch, as many epochs"


def run_stages(
    pretrained: keras.Model,
    initial_model: keras.Model | None,
    stage_jobs: dict[str, TrainingJob],
    path: Path,
) -> runs.Run:
    """Run the stages that were not complete before an interruption.

    Args:
        pretrained: The pretrained model.
        initial_model: That of the main stage, if it is the only one and was built before.
        stage_jobs: By stage.
        path: The run directory.
    """
    job = stage_jobs[MAIN_STAGE]
    comparisons = _linear_probe(pretrained, initial_model, job, path)
    if SCRATCH_STAGE in stage_jobs:
        scratch_job = stage_jobs[SCRATCH_STAGE]
        monitoring.print_stage(TRAINED_FROM_SCRATCH, scratch_job.recipe)
        run = _run_stage(jobs.initial_model, scratch_job, path / SCRATCH_STAGE)
        comparisons[TRAINED_FROM_SCRATCH] = run.metrics
    if HEAD_STAGE in stage_jobs:
        head_job = stage_jobs[HEAD_STAGE]
        monitoring.print_stage(HEAD_ALONE, head_job.recipe)
        run = _run_stage(
            lambda head_job: stage_model(pretrained, head_job), head_job, path / HEAD_STAGE
        )
        pretrained, initial_model = run.model, None
        if job.validation is not None:
            comparisons[HEAD_ALONE] = run.metrics
    if len(stage_jobs) > 1:
        monitoring.print_stage("main stage", job.recipe)
    if initial_model is None or SCRATCH_STAGE in stage_jobs:
        # Built last: a build sets the seed of everything that the training draws.
        initial_model = stage_model(pretrained, job)
    return fit(initial_model, job, path, comparisons=comparisons)


def _run_stage(
    build: Callable[[TrainingJob], keras.Model], job: TrainingJob, path: Path
) -> runs.Run:
    if run_files.is_complete(path):
        return runs.load_run(path)
    return fit(build(job), job, path)


def _linear_probe(
    pretrained: keras.Model, model: keras.Model | None, job: TrainingJob, path: Path
) -> dict[str, dict[str, float]]:
    """Return the metrics of a linear probe, where the model knows the inputs.

    TensorBoard shows them beside the run, and those of the baseline.
    """
    if job.validation is None:
        return {}
    objective = job.task.objective
    baseline = objective.baseline(job.examples, job.validation)
    baseline_name = f"{objective.baseline_name} baseline"
    hparams.write_hparams(path / "comparisons" / "baseline", job, baseline, baseline_name)
    if has_other_inputs(pretrained, job):
        return {}
    model = stage_model(pretrained, job) if model is None else model
    say(f"{PROBE}, for comparison")
    metrics = linear_probe(model, job.examples, job.validation)
    hparams.write_hparams(path / "comparisons" / "linear_probe", job, metrics, PROBE)
    return {PROBE: metrics}


def stage_model(pretrained: keras.Model, job: TrainingJob) -> keras.Model:
    """Return the model that a stage starts from, and which of its layers are trained."""
    if has_other_inputs(pretrained, job):
        return jobs.initial_model(job)
    recipe = job.recipe
    model = job.task.build(recipe, job.seed)
    head = [model.get_layer(name) for name in head_layers(model)]
    if any(layer.non_trainable_weights for layer in head):
        job.task.adapt(model, job.examples)  # such as the mean and the variance of a target
    transfer_weights(pretrained, model, job.task.remap_weights(pretrained, model))
    if recipe.trainable == "head":
        freezing.freeze(model)
    elif recipe.trainable == "adapters":
        adapters.enable(model, recipe.lora_rank, recipe.lora_alpha or None)
    elif not recipe.train_batch_norm:
        freezing.unfreeze(model)
    return model


def has_other_inputs(pretrained: keras.Model, job: TrainingJob) -> bool:
    """Return True if the table's columns differ from the model's inputs."""
    return job.spec.inputs != spec_of(pretrained).inputs
