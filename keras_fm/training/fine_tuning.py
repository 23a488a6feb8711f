"""`fine_tune`: a pretrained model on a user's own data."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_fm.calibration.arguments import check_coverage
from keras_fm.data.user.source import ProblemType, UserData
from keras_fm.distribution.running import with_devices
from keras_fm.errors import InvalidInputError
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.run_files import RANDOM
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.models.weights import weights_sha256
from keras_fm.options import Verbose
from keras_fm.progress import with_verbose
from keras_fm.training import fine_tuning_jobs as stages
from keras_fm.training import fine_tuning_options, jobs, run_examples, runs
from keras_fm.training.announcements import announce_run
from keras_fm.training.calibration import resumed_coverage
from keras_fm.training.device_checks import check_devices_of, check_same_in_processes
from keras_fm.training.distillation import check_teacher
from keras_fm.training.fine_tuning_options import (
    MAIN_STAGE,
    SCRATCH_STAGE,
    Strategy,
    check_fine_tune,
    interrupted_options,
)
from keras_fm.training.fine_tuning_stages import has_other_inputs, run_stages, stage_model
from keras_fm.training.generated_images import add_generated, load_generator
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.recipe_fields import RecipeFields
from keras_fm.training.runs import FROM_SCRATCH
from keras_fm.training.training import resume_command


@with_devices
@with_verbose
@preserved_global_state()
def fine_tune(
    name_or_model: str | os.PathLike[str] | keras.Model,
    data: Any,
    *,
    text: str | None = None,
    target: str | None = None,
    problem_type: ProblemType | None = None,
    class_names: Sequence[str] | None = None,
    split: str = "train",
    validation_data: Any = None,
    validation_data_split: str | None = None,
    validation_split: float | None = None,
    strategy: Strategy = "head_then_full",
    compare: bool = False,
    augment_with: str | None = None,
    recipe: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
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
    """Fine-tune a pretrained model for the classes or the target in a user's data.

    Args:
        name_or_model: A model's name, a run directory, a `.keras` file, or a model. `"mini_bert"`
            starts from the sentiment classifier, `"mini_bert.mlm"` from its pretraining alone.
        data: To train on.
            Images: a folder with a folder for each class, of JPEG, PNG or any files that Pillow
            reads.
            Texts: a file of a table, or a folder with a folder of `.txt` files for each class.
            A table: a CSV file with a header, a Parquet or JSON file, or a table of pandas, polars
            or pyarrow.
            Texts and tables: a data frame.
            Any of them: `(inputs, targets)`, images being what `pipeline` takes; a
            `tf.data.Dataset` of such pairs; `keras_fm.data.Examples`; or the name of a TFDS data
            set, with `tfds:` in front where a file has the same name.
        text: The column of the texts in a CSV file.
        target: The column to predict.
        problem_type: Of a table: `"regression"` or `"classification"`; None to infer it.
        class_names: Where the targets are indices of classes; None to infer them.
        split: Of a TFDS data set.
        validation_data: Other data of the same kind; None for a part of `data`, drawn by `seed`: a
            fifth of each class, or `validation_examples` in all.
        validation_data_split: Of a TFDS data set in `validation_data`.
        validation_split: The fraction of `data` that validates, such as 0.2.
        strategy: `"head_then_full"` trains the head alone, then all layers at a low rate; `"head"`
            the head alone on the frozen backbone; `"full"` all layers; `"lora"` the head and
            low-rank adapters, which the run keeps in a file of their own too. A table of other
            columns than the model knows is trained from scratch, by the model's own recipe.
        compare: Also trains the same network from scratch, by its own recipe in as many epochs, for
            the report; it takes as long as the rest.
        augment_with: A generator of images, such as `"gan"`, which makes more of each class; the
            recipe's `generated_ratio` says how many times as many (1, unless it is given).
        recipe: A recipe file, or the name of one in the model's folder. With a `dataset` it takes
            the place of the main stage's recipe; without one it changes the fields that it has, as
            keyword arguments do. It may have a table `[head]` for the first stage.
        run_dir: A directory that does not exist yet, or is empty; None for one under `runs/`.
        resume: Resumes the fine-tuning in `run_dir` that was stopped, by its own recipes and seed;
            model and data are to be given again.
        seed: Of the split, the head's weights, the order of examples and their augmentation.
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
        callbacks: Callbacks of Keras, in every stage, beside those that write the run. The
            training ends with the weights of the lowest validation loss, unless `patience=0`.
        histograms: Adds to TensorBoard's logs, after each epoch, a histogram of each weight and the
            root mean square of each layer's outputs.
        profile: Adds to TensorBoard's logs a profile of the steps 10 to 20, which its profiler
            plugin shows; on TensorFlow, and on JAX with Python 3.12.
        verbose: As in Keras' `fit`: 0 prints nothing, 1 draws a bar, 2 prints a line an epoch;
            `"auto"` is 1 on a terminal and in a notebook, 2 in a log file.
        **recipe_overrides: Fields of the recipe, such as `epochs=5`, of all stages; of the first
            one of `"head_then_full"` alone with `head.` in front (`**{"head.epochs": 3}`). A
            `learning_rate` without it is the main stage's. The others are `batch_size`,
            `optimizer`, `weight_decay`, `schedule`, `warmup_fraction`, `global_clipnorm`,
            `patience`, `validation_examples`, `precision`, `lora_rank` and `lora_alpha`, as `train`
            and `keras_fm.registry.recipe.Recipe` describe them, and those of the task, such as
            `label_smoothing` and `class_weight`.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation examples, `path`,
        `report()`.

    Raises:
        UnknownNameError: There is no such model, strategy or recipe field.
        InvalidInputError: The model can't be fine-tuned, or an option does not fit the data.
        DistributedError: With `hosts`: a process is missing, ended, or trains something else.
        DataError: The data can't be had, does not fit the model, or nothing can be learned from it.
        RunError: The directory exists, or there is nothing to resume.

    Example:
        >>> run = keras_fm.fine_tune("cifar_cnn", "photos/")
        >>> print(run.report())
        >>> keras_fm.pipeline(run.model)("photo.jpg")
    """
    overrides = dict[str, Any](recipe_overrides)
    check_fine_tune(
        name_or_model,
        data,
        text=text,
        target=target,
        problem_type=problem_type,
        class_names=class_names,
        split=split,
        validation_data=validation_data,
        validation_data_split=validation_data_split,
        validation_split=validation_split,
        strategy=strategy,
        compare=compare,
        augment_with=augment_with,
        recipe=recipe,
        run_dir=run_dir,
        resume=resume,
        seed=seed,
        calibrate=calibrate,
        coverage=coverage,
        histograms=histograms,
        profile=profile,
        devices=devices,
        hosts=hosts,
        hosts_timeout=hosts_timeout,
        **overrides,
    )
    observers: dict[str, Any] = {
        "callbacks": jobs.check_callbacks(callbacks),
        "histograms": histograms,
        "profile": profile,
    }
    pretrained = resolve_model(name_or_model)
    spec = _spec_to_fine_tune(pretrained)
    if resume:
        path, run_info = fine_tuning_options.find_interrupted_run(
            run_dir, spec, overrides, recipe=recipe, validation_split=validation_split
        )
        fine_tuning_options.check_resumed_options(
            path,
            seed=seed,
            strategy=strategy,
            compare=compare,
            augment_with=augment_with,
            validation_data=validation_data,
        )
        coverage = resumed_coverage(path, calibrate, coverage)
        options = interrupted_options(path, run_info, weights_sha256(pretrained))
        augment_with = run_info["augment_with"] or None
        compare = run_files.is_run(path / SCRATCH_STAGE)
    else:
        coverage = check_coverage(calibrate, coverage)
        file = fine_tuning_options.fine_tuning_recipe_file(recipe, spec, strategy)
        overrides = file.merged(
            overrides,
            validates_otherwise=validation_split is not None or validation_data is not None,
        )
        options = fine_tuning_options.resolve_options(spec, strategy, seed, overrides, file)
    user_data = UserData(data, text, target, problem_type, class_names, split)
    validation = fine_tuning_options.validation_source(
        user_data, validation_data, validation_data_split, validation_split, overrides
    )
    stage_jobs = stages.fine_tuning_jobs(spec, user_data, validation, options, validation_split)
    main_job = stage_jobs[MAIN_STAGE]
    from_scratch = has_other_inputs(pretrained, main_job)
    _check_options(main_job, from_scratch, compare)
    if augment_with is not None:
        stage_jobs = _augmented(stage_jobs, augment_with)
    if compare:
        epochs = sum(job.recipe.epochs for job in stage_jobs.values())
        scratch_job = stages.from_scratch_job(stage_jobs[MAIN_STAGE], epochs)
        stage_jobs = {SCRATCH_STAGE: scratch_job, **stage_jobs}
    stage_jobs = {stage: replace(job, **observers) for stage, job in stage_jobs.items()}
    stage_jobs[MAIN_STAGE] = jobs.with_coverage(stage_jobs[MAIN_STAGE], coverage)
    main_job = stage_jobs[MAIN_STAGE]
    for job in stage_jobs.values():
        check_devices_of(job)
    check_teacher(main_job)
    check_same_in_processes(stage_jobs.values(), pretrained)
    initial_model = None
    if resume:
        runs.check_data(path, main_job)
    else:
        # What can't be done is refused before anything is written.
        initial_model = stage_model(pretrained, main_job)
        init_from = spec.name if isinstance(name_or_model, keras.Model) else str(name_or_model)
        method = options.strategy
        if from_scratch:
            init_from, method = RANDOM, FROM_SCRATCH
        path = runs.new_directory(run_dir, f"{spec.name}-{method}", options.seed)
        more = {
            "init_from_sha256": weights_sha256(pretrained),
            "augment_with": augment_with or "",
        }
        _write_run_infos(path, stage_jobs, init_from, method, more)
    announce_run(path, main_job)
    try:
        return run_stages(pretrained, initial_model, stage_jobs, path)
    except KeyboardInterrupt:
        named_options = {
            "text": text,
            "target": target,
            "problem-type": problem_type,
            "class-names": class_names,
            "split": None if split == "train" else split,
            "validation-data": validation_data,
            "validation-data-split": validation_data_split,
        }
        files = [item for item in (name_or_model, data, validation_data) if item is not None]
        raise KeyboardInterrupt(
            resume_command(["fine-tune", str(name_or_model), str(data)], named_options, path)
            if all(isinstance(item, (str, os.PathLike)) for item in files)
            else f"stopped; resume it with the same model, data and run_dir={str(path)!r}, "
            "resume=True"
        ) from None


def _check_options(job: TrainingJob, from_scratch: bool, compare: bool) -> None:
    """Refuse options that would do nothing."""
    if compare and job.validation is None:
        raise InvalidInputError("compare needs examples to evaluate on, and none validates")
    if compare and from_scratch:
        raise InvalidInputError(
            "a table of other columns is trained from scratch: there is nothing to compare"
        )


def _spec_to_fine_tune(pretrained: keras.Model) -> ModelSpec:
    """Return the specification that fine-tuning starts from, of a pretraining the zoo's model's."""
    spec = spec_of(pretrained)
    # The calibration is of other weights and classes.
    return ModelSpec.of(spec.package) if spec.is_pretraining else replace(spec, calibration=None)


def _augmented(stage_jobs: dict[str, TrainingJob], generator: str) -> dict[str, TrainingJob]:
    """Return the jobs with generated images among the training examples."""
    main_job = stage_jobs[MAIN_STAGE]
    model = load_generator(generator, main_job.spec)
    ratio = main_job.recipe.generated_ratio or 1.0
    examples = add_generated(main_job.examples, main_job.spec, model, ratio, main_job.seed)
    return {
        stage: replace(job, examples=examples, recipe=job.recipe.override(generated_ratio=ratio))
        for stage, job in stage_jobs.items()
    }


def _write_run_infos(
    path: Path,
    stage_jobs: dict[str, TrainingJob],
    init_from: str,
    strategy: str,
    more: dict[str, str],
) -> None:
    """Write what each run is, and their examples once; that of the main stage last."""
    run_examples.write_examples(path, stage_jobs[MAIN_STAGE], init_from)
    for stage, job in stage_jobs.items():
        if stage != MAIN_STAGE:
            runs.new_directory(path / stage, job.spec.name, job.seed)
        if stage == SCRATCH_STAGE:
            runs.write_run_info(path / stage, job)
        else:
            stage_strategy = strategy if stage == MAIN_STAGE else stage
            runs.write_run_info(path / stage, job, init_from, strategy=stage_strategy, **more)
