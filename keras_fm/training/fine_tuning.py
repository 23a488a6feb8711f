"""Trains a pretrained model on, for a user's own data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_fm import adapters, registry, tasks
from keras_fm.data import example_files
from keras_fm.data.user_data import UserData
from keras_fm.errors import InvalidInputError, RunError
from keras_fm.evaluation import linear_probe
from keras_fm.models import (
    backbone,
    building,
    freezing,
    loading,
    precision,
    run_files,
    transfer,
    weights,
)
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.registry.recipe import load_recipe
from keras_fm.training import fine_tuning_jobs, fit, generated_images, monitoring, runs, training
from keras_fm.training.fine_tuning_jobs import HEAD_STAGE, MAIN_STAGE, FineTuningOptions
from keras_fm.training.jobs import TrainingJob

SCRATCH_STAGE = "scratch"  # the folder of the training from random weights
# What the report compares with.
PROBE = "linear model of the frozen body"
HEAD_ALONE = "its first stage, the head alone"
FROM_RANDOM = "from random weights, in as many epochs"


def fine_tune(
    name_or_model: str | os.PathLike[str] | keras.Model,
    data: Any,
    *,
    text: str | None = None,
    target: str | None = None,
    kind: str | None = None,
    labels: Sequence[str] | None = None,
    split: str = "train",
    validation: Any = None,
    validation_split: str | None = None,
    strategy: str = "gradual",
    compare: bool = False,
    augment_with: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    **recipe_overrides: Any,
) -> runs.Run:
    """Trains a pretrained model on, for the classes or the quantity in a user's data.

    Args:
        name_or_model: a model's name, a run directory, a `.keras` file, or a model. "mini_bert"
            goes on from what it knows of sentiment, "mini_bert.mlm" from its pretraining alone.
        data: what to learn from.
            Images: a folder with a folder of JPEG, PNG, GIF or BMP files for each class.
            Texts: a CSV file, or a folder with a folder of `.txt` files for each class.
            A table: a CSV file with a header.
            Texts and tables: a data frame.
            Any of them: `(inputs, targets)`, images being arrays 0..255 of any size, or paths; a
            `tf.data.Dataset` of such pairs; `keras_fm.data.Examples`; or the name of a TFDS data
            set, with "tfds:" in front where a file has the same name.
        text: the column of the texts in a CSV file. target: the one of the answer.
        kind: of a table's target: "regression" or "classification"; None: what it looks like.
        labels: the classes' names, where the targets are their numbers; None: from the data.
        split: of a TFDS data set.
        validation: other data of the same kind to measure on; None: a part of `data`, drawn by
            `seed`, a fifth of each class, or `validation_examples` in all.
        validation_split: of a TFDS data set that validates.
        strategy: "gradual" trains the head alone first, and then all layers at a low rate; "head"
            the head alone, the body frozen; "full" all layers; "lora" the head and low-rank
            adapters, which the run keeps in a file of their own too. A table of other columns than
            the model knows is learned anew, by the model's own recipe.
        compare: also train the same network from random weights, by its own recipe in as many
            epochs, for the report. It is not always done, for it takes as long as the rest.
        augment_with: a generator of images, such as "gan", which draws more of each class; the
            recipe's `generated` says how many times as many (1, unless it is given).
        run_dir: a directory that does not exist yet; None: one under `runs/`.
        resume: go on with the fine-tuning in `run_dir` that was stopped, by its own recipes and
            seed; model and data are to be given again.
        seed: of the split, the head's weights, the order of examples and their augmentation.
        **recipe_overrides: fields of the recipe, such as `epochs=5`; of the first stage of
            "gradual" alone with "head." in front. A `learning_rate` without it is the last stage's.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation cut, `path`, `report()`.

    Raises:
        UnknownNameError: no such model, strategy or recipe field.
        InvalidInputError: the model can't be fine-tuned, or an option does not fit the data.
        DataError: the data can't be had, does not fit the model, or nothing can be learned from it.
        RunError: the directory exists, or there is nothing to resume.

    Example:
        >>> run = keras_fm.fine_tune("cifar_cnn", "photos/")
        >>> print(run.report())
        >>> keras_fm.pipeline(run.model)("photo.jpg")
    """
    before = loading.resolve_model(name_or_model)
    identity = _goes_on_as(before)
    room, _ = registry.find(identity.entry.name)
    if resume:
        path, asked, augment_with, compare = _interrupted(run_dir, recipe_overrides, before)
    else:
        asked = fine_tuning_jobs.resolve_options(identity, strategy, seed, recipe_overrides)
    source = UserData(data, text, target, kind, labels, split)
    held_out = fine_tuning_jobs.validation_source(
        source, validation, validation_split, recipe_overrides
    )
    stages = fine_tuning_jobs.fine_tuning_jobs(room, identity, source, held_out, asked)
    _check_options(stages[MAIN_STAGE], before, augment_with, compare, recipe_overrides)
    if augment_with is not None:
        stages = _augmented(stages, augment_with)
    if compare:
        epochs = sum(lesson.recipe.epochs for lesson in stages.values())
        stages = {
            SCRATCH_STAGE: fine_tuning_jobs.from_scratch_job(stages[MAIN_STAGE], epochs),
            **stages,
        }
    if resume:
        runs.check_data(path, stages[MAIN_STAGE].identity, stages[MAIN_STAGE].examples.description)
    else:
        _begin(
            before, stages[MAIN_STAGE]
        )  # what can't be done is refused before anything is written
        start = room.name if isinstance(name_or_model, keras.Model) else str(name_or_model)
        strategy = asked.strategy
        if _begins_anew(before, stages[MAIN_STAGE]):
            start, strategy = training.RANDOM, runs.FROM_SCRATCH
        path = runs.new_directory(run_dir, f"{room.name}-{strategy}", asked.seed)
        about = {
            "started_from_sha256": weights.weights_sha256(before),
            "augment_with": augment_with or "",
        }
        _describe(path, stages, start, strategy, about)
    try:
        return _learn(before, stages, path)
    except KeyboardInterrupt:
        options = {
            "text": text,
            "target": target,
            "kind": kind,
            "labels": labels,
            "split": None if split == "train" else split,
            "validation": validation,
            "validation-split": validation_split,
        }
        files = [given for given in (name_or_model, data, validation) if given is not None]
        raise KeyboardInterrupt(
            training.resume_command(["fine-tune", str(name_or_model), str(data)], options, path)
            if all(isinstance(given, (str, os.PathLike)) for given in files)
            else f"stopped; go on with the same model, data and run_dir={str(path)!r}, resume=True"
        ) from None


def _check_options(
    last: TrainingJob,
    before: keras.Model,
    generator: str | None,
    compare: bool,
    overrides: dict[str, Any],
) -> None:
    """Refuses what would be asked for in vain."""
    if generator is None and "generated" in overrides:
        raise InvalidInputError("generated is of what augment_with draws; name a generator")
    if generator is not None and overrides.get("generated", 1) == 0:
        raise InvalidInputError("generated=0 draws no image; leave out augment_with")
    if compare and last.validation is None:
        raise InvalidInputError("compare wants examples to measure on, and none validates")
    if compare and _begins_anew(before, last):
        raise InvalidInputError("a table of other columns begins anew: there is none to compare")


def _goes_on_as(before: keras.Model) -> ModelSpec:
    """The identity that the model has from now on; that of a pretraining is its room's own."""
    identity = spec_of(before)
    entry = identity.entry
    return ModelSpec.of(entry) if identity.task == entry.pretraining else identity


def _augmented(stages: dict[str, TrainingJob], generator: str) -> dict[str, TrainingJob]:
    """The same lessons, with drawn images among the examples to train on."""
    last = stages[MAIN_STAGE]
    generated_images.check_generator(generator, last.identity)
    share = last.recipe.generated or 1.0
    examples = generated_images.add_generated(
        last.examples, last.identity, generator, share, last.seed
    )
    return {
        name: replace(lesson, examples=examples, recipe=lesson.recipe.override(generated=share))
        for name, lesson in stages.items()
    }


def _describe(
    path: Path, stages: dict[str, TrainingJob], start: str, strategy: str, about: dict[str, str]
) -> None:
    """Writes what each run is, and the examples that they are measured on; the run's own last."""
    last = stages[MAIN_STAGE]
    if last.validation is not None:
        example_files.save_examples(last.validation, path / runs.VALIDATION)
    for folder, lesson in stages.items():
        if folder != MAIN_STAGE:
            runs.new_directory(path / folder, lesson.room.name, lesson.seed)
        if folder == SCRATCH_STAGE:
            runs.write_run_info(path / folder, lesson)
        else:
            way = strategy if folder == MAIN_STAGE else folder
            runs.write_run_info(path / folder, lesson, start, strategy=way, **about)


def _begin(before: keras.Model, lesson: TrainingJob) -> keras.Model:
    """The model that a stage starts from, and which of its layers learn."""
    if _begins_anew(before, lesson):
        return building.build_for_training(lesson)
    keras.utils.set_random_seed(lesson.seed)
    recipe = lesson.recipe
    with precision.dtype_policy(precision.resolve_precision(recipe.precision)):
        model = building.build(lesson.room, lesson.identity, **building.dynamic_image_size(recipe))
    tasks.task_of(model).check_recipe(model, recipe)
    head = [model.get_layer(name) for name in backbone.head_layers(model)]
    if any(layer.non_trainable_weights for layer in head):
        building.adapt(model, lesson)  # such as the mean and the variance of a quantity
    transfer.transfer_weights(before, model)
    if recipe.learns == "head":
        freezing.freeze(model)
    elif recipe.learns == "adapters":
        adapters.enable(model, recipe.lora_rank, recipe.lora_alpha or None)
    elif recipe.batch_norm == "frozen":
        freezing.unfreeze(model)
    return model


def _begins_anew(before: keras.Model, lesson: TrainingJob) -> bool:
    """Whether it is a table of other columns: no layer knows what it is given."""
    return lesson.identity.inputs != spec_of(before).inputs


def _learn(before: keras.Model, stages: dict[str, TrainingJob], path: Path) -> runs.Run:
    """Goes through the stages, as far as they were not ended in a sitting before."""
    last, compared = stages[MAIN_STAGE], _compare(before, stages[MAIN_STAGE], path)
    if SCRATCH_STAGE in stages:
        scratch = stages[SCRATCH_STAGE]
        monitoring.print_stage(FROM_RANDOM, scratch.recipe)
        compared[FROM_RANDOM] = _stage(
            building.build_for_training, scratch, path / SCRATCH_STAGE
        ).metrics
    if HEAD_STAGE in stages:
        monitoring.print_stage(HEAD_ALONE, stages[HEAD_STAGE].recipe)
        head = _stage(lambda lesson: _begin(before, lesson), stages[HEAD_STAGE], path / HEAD_STAGE)
        before = head.model
        if last.validation is not None:
            compared[HEAD_ALONE] = head.metrics
    if len(stages) > 1:
        monitoring.print_stage("the fine-tuning itself", last.recipe)
    return fit.fit(_begin(before, last), last, path, compared=compared)


def _stage(
    begin: Callable[[TrainingJob], keras.Model], lesson: TrainingJob, path: Path
) -> runs.Run:
    if run_files.is_complete(path):
        return runs.load_run(path)
    return fit.fit(begin(lesson), lesson, path)


def _compare(before: keras.Model, lesson: TrainingJob, path: Path) -> dict[str, dict[str, float]]:
    """What a linear probe has on the validation cut, where the model knows its inputs.

    TensorBoard shows it, and what is known without a look at the inputs, beside the run.
    """
    if lesson.validation is None:
        return {}
    baseline = tasks.task_of(lesson.identity).baseline(lesson.examples, lesson.validation)
    monitoring.write_hparams(path / "compared" / "baseline", lesson, baseline, runs.BASELINE)
    if _begins_anew(before, lesson):
        return {}
    scores = linear_probe.linear_probe(_begin(before, lesson), lesson.examples, lesson.validation)
    monitoring.write_hparams(path / "compared" / "probe", lesson, scores, PROBE)
    return {PROBE: scores}


def _interrupted(
    run_dir: str | os.PathLike[str] | None, overrides: dict[str, Any], before: keras.Model
) -> tuple[Path, FineTuningOptions, str | None, bool]:
    """The fine-tuning to go on with: its directory, what was asked, `augment_with`, `compare`."""
    path, about = training.load_interrupted_run(run_dir, spec_of(before).entry.name, [*overrides])
    if not about.get("strategy"):
        raise RunError(f"the run in {path} is no fine-tuning: keras-fm train ... --resume")
    if about["started_from_sha256"] != weights.weights_sha256(before):
        raise RunError(f"the run in {path} started from {about['start']!r} with other weights")
    folders = [folder for folder in (HEAD_STAGE, MAIN_STAGE) if run_files.is_run(path / folder)]
    recipes = {folder: load_recipe(path / folder / "recipe.toml") for folder in folders}
    asked = FineTuningOptions(about["strategy"], recipes, about["seed"], None)
    return path, asked, about["augment_with"] or None, run_files.is_run(path / SCRATCH_STAGE)
