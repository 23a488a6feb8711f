"""`train`: a model of the zoo by its recipe, into a run directory."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_fm import registry
from keras_fm.calibration.arguments import check_coverage
from keras_fm.data.user.source import ProblemType
from keras_fm.distribution.running import with_devices
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.run_files import RANDOM
from keras_fm.models.transfer import transfer_weights
from keras_fm.options import Verbose
from keras_fm.progress import with_verbose
from keras_fm.registry.recipe import load_recipe, recipe_class_of
from keras_fm.training import jobs, monitoring, run_examples, runs
from keras_fm.training.announcements import announce_run
from keras_fm.training.calibration import resumed_coverage
from keras_fm.training.device_checks import check_devices_of, check_same_in_processes
from keras_fm.training.distillation import check_teacher
from keras_fm.training.fit import fit
from keras_fm.training.interrupted_runs import find_interrupted_run
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.recipe_fields import RecipeFields
from keras_fm.training.recipe_overrides import PRETRAINING, split_overrides
from keras_fm.training.table_comparisons import compare_with_others
from keras_fm.training.train_arguments import (
    check_seed,
    check_train,
    check_validation_split,
    default_init_from,
    train_recipe_file,
)


@with_devices
@with_verbose
@preserved_global_state()
def train(
    name: str,
    *,
    data: jobs.Data = None,
    target: str | None = None,
    problem_type: ProblemType | None = None,
    init_from: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    validation_split: float | None = None,
    calibrate: bool | None = None,
    coverage: float | None = None,
    devices: int | None = None,
    hosts: str | None = None,
    hosts_timeout: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    histograms: bool = False,
    profile: bool = False,
    verbose: Verbose = "auto",
    **recipe_overrides: Unpack[RecipeFields],
) -> runs.Run:
    """Train a model of the zoo by its recipe, from random or pretrained weights.

    Args:
        name: The model's name.
        data: None for the recipe's data set; `"sample"` for its bundled sample; `Examples`, whose
            last ones validate; or a user's own, as `fine_tune` takes it: images, texts or a table,
            of which a fifth (or `validation_split`) validates, drawn by `seed`, stratified and with
            duplicates on one side;
            for a character model the path of a text, whose last tenth validates. An epoch then has
            at least 32 steps.
        target: The column of the CSV file or data frame to predict.
        problem_type: `"regression"` or `"classification"`; None to infer it from the column.
        init_from: `"random"` weights; `"pretraining"` for those of a model that is trained on the
            entry's other task first, by `pretraining.toml`, in `<run_dir>/pretraining`; or a run,
            or a pretrained model's name, whose layers this model has too. None is `"pretraining"`
            where the entry has one and the model is trained on its own data, else the entry's
            `init_from`, else `"random"`.
        recipe: A recipe file, or the name of one in the model's folder. With a `dataset` it takes
            the place of the model's recipe; without one it changes the fields that it has, as
            keyword arguments do. It may have a table `[pretraining]`. None for the model's recipe.
        run_dir: A directory that does not exist yet, or is empty; None for
            `runs/<name>-<time>-seed<seed>`.
        resume: Resumes the training in `run_dir` that was stopped, by its own recipe and seed.
        seed: Of the weights, the order of examples and their augmentation.
        validation_split: The fraction of the data that validates, between 0 and 1; None for what
            `data` says, or the recipe's `validation_examples`.
        calibrate: Of a classifier: fits a temperature, prediction sets and an in-distribution score
            on the validation examples, after the training; predictions and exports then have
            `calibrated_probabilities`, the `prediction_set` and `in_distribution`, too.
        coverage: The share of inputs like those whose class is in the `prediction_set`, and of
            those that are `in_distribution`; it implies `calibrate`. None for 0.9.
        devices: GPUs, or CPU cores where there is no GPU, that share each batch; with `hosts`, of
            each process. None for one; with `hosts`, for all GPUs, or one CPU.
        hosts: Several processes train together, on the JAX backend; each makes the same call, and
            process 0 writes the run. `"ADDRESS:PORT,PROCESSES,INDEX"` is where process 0 listens,
            how many there are, and which this one is; `"auto"` is what Slurm, Open MPI, Kubernetes
            or SageMaker say.
        hosts_timeout: Seconds that the processes wait for each other at the start; None for 300.
        callbacks: Callbacks of Keras, beside those that write the run; also of a pretraining. The
            `model` that they see is what is trained: of a generator it contains the discriminator.
        histograms: Adds to TensorBoard's logs, after each epoch, a histogram of each weight and the
            root mean square of each layer's outputs.
        profile: Adds to TensorBoard's logs a profile of the steps 10 to 20, which its profiler
            plugin shows; on TensorFlow, and on JAX with Python 3.12.
        verbose: As in Keras' `fit`: 0 prints nothing, 1 draws a bar, 2 prints a line an epoch;
            `"auto"` is 1 on a terminal and in a notebook, 2 in a log file.
        **recipe_overrides: Fields of the recipe, such as `epochs=2`; those of the pretraining's
            have `pretraining.` in front. Every recipe has `epochs`, `batch_size`, `optimizer`
            (`"sgd"`, `"adam"`, `"adamw"` or `"muon"`), `learning_rate`, `weight_decay`, `schedule`
            (`"constant"` or `"linear"`), `warmup_fraction`, `global_clipnorm`, `patience` (epochs
            without a lower validation loss; 0 runs all), `validation_examples` and `precision`
            (`"auto"`, `"float32"` or `"bfloat16"`); `keras_fm.registry.recipe.Recipe` has all,
            `recipe.py` of the task's package those of the task, such as `label_smoothing`.
            `teacher="mini_bert"` is knowledge distillation: the model learns the outputs of another
            one of its task and classes, too.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation examples, `path`,
        `report()`.

    Raises:
        UnknownNameError: There is no such model or recipe field.
        SchemaError: A field's value does not fit.
        RunError: The directory exists, or there is nothing to resume.
        DistributedError: With `hosts`: a process is missing, ended, or trains something else.
        DataError: The data can't be had, or nothing can be learned from it.
        InvalidInputError: `init_from` is a model of other layers, or an option does not fit.

    Example:
        >>> stop = keras.callbacks.TerminateOnNaN()
        >>> run = keras_fm.train("mlp", data="houses.csv", epochs=20, callbacks=[stop])
        >>> print(run.report())
    """
    changes = dict[str, Any](recipe_overrides)
    check_train(
        name,
        data=data,
        target=target,
        problem_type=problem_type,
        init_from=init_from,
        recipe=recipe,
        run_dir=run_dir,
        resume=resume,
        seed=seed,
        validation_split=validation_split,
        calibrate=calibrate,
        coverage=coverage,
        histograms=histograms,
        profile=profile,
        devices=devices,
        hosts=hosts,
        hosts_timeout=hosts_timeout,
        **changes,
    )
    package, _ = registry.find(name)
    seed = check_seed(seed)
    run_recipe = pretraining_recipe = None
    observers: dict[str, Any] = {
        "callbacks": jobs.check_callbacks(callbacks),
        "histograms": histograms,
        "profile": profile,
    }
    file = train_recipe_file(recipe, package)
    changes = file.merged(changes, validates_otherwise=validation_split is not None)
    overrides, pretraining_overrides = split_overrides(changes)
    validation_split = check_validation_split(validation_split, overrides)
    if resume:
        path, init_from, seed = find_interrupted_run(run_dir, name, data, changes)
        run_recipe = _run_recipe(path)
        coverage = resumed_coverage(path, calibrate, coverage)
        if init_from == PRETRAINING:
            pretraining_recipe = _run_recipe(path / PRETRAINING)
    else:
        coverage = check_coverage(calibrate, coverage)
        init_from = init_from or default_init_from(package, data)
    job = jobs.training_job(
        package,
        data=data,
        target=target,
        problem_type=problem_type,
        seed=seed,
        overrides=overrides,
        recipe=run_recipe,
        recipe_file=file,
        validation_split=validation_split,
        from_random=init_from == RANDOM,
    )
    job = replace(jobs.with_coverage(job, coverage), **observers)
    check_devices_of(job)
    check_teacher(job)
    model, pretraining, source = jobs.initial_model(job), None, None
    if init_from == PRETRAINING:
        pretraining = jobs.pretraining_job(
            package,
            data=data,
            seed=seed,
            overrides=pretraining_overrides,
            recipe=pretraining_recipe,
        )
        pretraining = replace(pretraining, **observers)
        check_devices_of(pretraining)
    elif init_from != RANDOM:
        source = resolve_model(str(init_from))
        _initialize(model, source, job)
    check_same_in_processes([job] if pretraining is None else [pretraining, job], source)
    if resume:
        runs.check_data(path, job)
    else:
        path = runs.new_directory(run_dir, name, seed)
        if pretraining is not None:
            pretraining_path = runs.new_directory(path / PRETRAINING, name, seed)
            run_examples.write_examples(pretraining_path, pretraining, RANDOM)
            runs.write_run_info(pretraining_path, pretraining)
        run_examples.write_examples(path, job, init_from)
        runs.write_run_info(path, job, init_from=str(init_from))
    announce_run(path, job)
    try:
        if pretraining is not None:
            _initialize(model, _pretrain(pretraining, path / PRETRAINING), job)
        return fit(model, job, path, comparisons=compare_with_others(model, job))
    except KeyboardInterrupt:
        options = {"data": data, "target": target, "problem-type": problem_type}
        named = {option: value for option, value in options.items() if isinstance(value, str)}
        raise KeyboardInterrupt(resume_command(["train", name], named, path)) from None


def resume_command(command: Sequence[str], options: Mapping[str, Any], path: Path) -> str:
    """Return the message with the command that resumes a training.

    Args:
        command: The command and its arguments.
        options: By name; those that are None are left out.
        path: The run directory.
    """
    words = ["keras-fm", *command]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", *([value] if isinstance(value, (str, os.PathLike)) else value)]
    resumed = shlex.join(map(str, [*words, "--run-dir", path, "--resume"]))
    return f"stopped; resume it with: {resumed}"


def _run_recipe(path: Path) -> Any:
    """Return the recipe of a run."""
    recipe_class = recipe_class_of(run_files.read_run(path)["task"])
    return load_recipe(path / run_files.RECIPE, recipe_class)


def _initialize(model: Any, pretrained: Any, job: TrainingJob) -> None:
    transfer_weights(pretrained, model, job.task.remap_weights(pretrained, model))


def _pretrain(job: TrainingJob, path: Path) -> Any:
    """Return the pretrained model of the run in `path`, trained now or before an interruption."""
    if run_files.is_complete(path):
        return runs.load_run(path).model
    monitoring.print_stage(PRETRAINING, job.recipe)
    return fit(jobs.initial_model(job), job, path).model
