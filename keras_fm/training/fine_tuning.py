"""`fine_tune`: a pretrained model on a user's own data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_fm import adapters
from keras_fm.data.user.source import ProblemType, UserData
from keras_fm.errors import InvalidInputError, RunError
from keras_fm.evaluation.linear_probe import linear_probe
from keras_fm.models import freezing, run_files
from keras_fm.models.backbone import head_layers
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.run_files import RANDOM
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.models.transfer import transfer_weights
from keras_fm.models.weights import weights_sha256
from keras_fm.options import Verbose
from keras_fm.progress import say, with_verbose
from keras_fm.registry.recipe import load_recipe, recipe_class_of
from keras_fm.training import fine_tuning_jobs as stages
from keras_fm.training import fine_tuning_options, jobs, monitoring, run_examples, runs
from keras_fm.training.announcements import announce_run
from keras_fm.training.distillation import check_teacher
from keras_fm.training.fine_tuning_options import (
    HEAD_STAGE,
    MAIN_STAGE,
    SCRATCH_STAGE,
    FineTuningOptions,
    Strategy,
    check_fine_tune,
)
from keras_fm.training.fit import fit
from keras_fm.training.generated_images import add_generated, load_generator
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.recipe_fields import RecipeFields
from keras_fm.training.runs import FROM_SCRATCH
from keras_fm.training.training import resume_command

# What the report compares with.
PROBE = "linear probe of the frozen backbone"
HEAD_ALONE = "head alone (first stage)"
TRAINED_FROM_SCRATCH = "trained from scratch, as many epochs"


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
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
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
        run_dir: A directory that does not exist yet, or is empty; None for one under `runs/`.
        resume: Resumes the fine-tuning in `run_dir` that was stopped, by its own recipes and seed;
            model and data are to be given again.
        seed: Of the split, the head's weights, the order of examples and their augmentation.
        callbacks: Callbacks of Keras, in every stage, beside those that write the run. The
            training ends with the weights of the lowest validation loss, unless `patience=0`.
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
        run_dir=run_dir,
        resume=resume,
        seed=seed,
        **overrides,
    )
    callbacks = jobs.check_callbacks(callbacks)
    pretrained = resolve_model(name_or_model)
    spec = _spec_to_fine_tune(pretrained)
    if resume:
        path, options, augment_with, compare = _interrupted_run(run_dir, overrides, pretrained)
    else:
        options = fine_tuning_options.resolve_options(spec, strategy, seed, overrides)
    user_data = UserData(data, text, target, problem_type, class_names, split)
    validation = fine_tuning_options.validation_source(
        user_data, validation_data, validation_data_split, validation_split, overrides
    )
    stage_jobs = stages.fine_tuning_jobs(spec, user_data, validation, options, validation_split)
    main_job = stage_jobs[MAIN_STAGE]
    from_scratch = _has_other_inputs(pretrained, main_job)
    _check_options(main_job, from_scratch, compare)
    if augment_with is not None:
        stage_jobs = _augmented(stage_jobs, augment_with)
    if compare:
        epochs = sum(job.recipe.epochs for job in stage_jobs.values())
        scratch_job = stages.from_scratch_job(stage_jobs[MAIN_STAGE], epochs)
        stage_jobs = {SCRATCH_STAGE: scratch_job, **stage_jobs}
    stage_jobs = {stage: replace(job, callbacks=callbacks) for stage, job in stage_jobs.items()}
    main_job = stage_jobs[MAIN_STAGE]
    check_teacher(main_job)
    initial_model = None
    if resume:
        runs.check_data(path, main_job)
    else:
        # What can't be done is refused before anything is written.
        initial_model = _initial_model(pretrained, main_job)
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
        return _run_stages(pretrained, initial_model, stage_jobs, path)
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
    return ModelSpec.of(spec.package) if spec.is_pretraining else spec


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


def _initial_model(pretrained: keras.Model, job: TrainingJob) -> keras.Model:
    """Return the model that a stage starts from, and which of its layers are trained."""
    if _has_other_inputs(pretrained, job):
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


def _has_other_inputs(pretrained: keras.Model, job: TrainingJob) -> bool:
    """Return True if the table's columns differ from the model's inputs."""
    return job.spec.inputs != spec_of(pretrained).inputs


def _run_stages(
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
            lambda head_job: _initial_model(pretrained, head_job), head_job, path / HEAD_STAGE
        )
        pretrained, initial_model = run.model, None
        if job.validation is not None:
            comparisons[HEAD_ALONE] = run.metrics
    if len(stage_jobs) > 1:
        monitoring.print_stage("main stage", job.recipe)
    if initial_model is None or SCRATCH_STAGE in stage_jobs:
        # Built last: a build sets the seed of everything that the training draws.
        initial_model = _initial_model(pretrained, job)
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
    monitoring.write_hparams(path / "comparisons" / "baseline", job, baseline, baseline_name)
    if _has_other_inputs(pretrained, job):
        return {}
    model = _initial_model(pretrained, job) if model is None else model
    say(f"{PROBE}, for comparison")
    metrics = linear_probe(model, job.examples, job.validation)
    monitoring.write_hparams(path / "comparisons" / "linear_probe", job, metrics, PROBE)
    return {PROBE: metrics}


def _interrupted_run(
    run_dir: str | os.PathLike[str] | None, overrides: dict[str, Any], pretrained: keras.Model
) -> tuple[Path, FineTuningOptions, str | None, bool]:
    """Return the fine-tuning to resume: its directory and options, `augment_with`, `compare`."""
    path, run_info = fine_tuning_options.find_interrupted_run(
        run_dir, _spec_to_fine_tune(pretrained), overrides
    )
    if run_info["init_from_sha256"] != weights_sha256(pretrained):
        raise RunError(
            f"the run in {path} was initialized from {run_info['init_from']!r} with other weights"
        )
    recipe_class = recipe_class_of(run_info["task"])
    recipes = {
        stage: load_recipe(path / stage / run_files.RECIPE, recipe_class)
        for stage in (HEAD_STAGE, MAIN_STAGE)
        if run_files.is_run(path / stage)
    }
    options = FineTuningOptions(run_info["strategy"], run_info["seed"], {}, recipes)
    has_scratch = run_files.is_run(path / SCRATCH_STAGE)
    return path, options, run_info["augment_with"] or None, has_scratch
