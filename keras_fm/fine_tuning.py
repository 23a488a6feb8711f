"""Trains a pretrained model on, for a user's own data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_fm import (
    adapters,
    drawing,
    freezing,
    models,
    precision,
    probing,
    registry,
    runs,
    tasks,
    training,
    weights,
)
from keras_fm.data import keeping
from keras_fm.data.own import Source
from keras_fm.errors import InvalidInputError, RunError
from keras_fm.identity import Identity, identify
from keras_fm.learning import monitoring, own_lessons
from keras_fm.learning.lessons import Lesson
from keras_fm.learning.own_lessons import HEAD, LAST, Asked
from keras_fm.recipe import load_recipe

SCRATCH = "scratch"  # the folder of the training from random weights
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
    before = runs.as_model(name_or_model)
    identity = _goes_on_as(before)
    room, _ = registry.find(identity.entry.name)
    if resume:
        path, asked, augment_with, compare = _interrupted(run_dir, recipe_overrides, before)
    else:
        asked = own_lessons.ask(identity, strategy, seed, recipe_overrides)
    source = Source(data, text, target, kind, labels, split)
    held_out = own_lessons.hold_out(source, validation, validation_split, recipe_overrides)
    stages = own_lessons.prepare(room, identity, source, held_out, asked)
    _check_options(stages[LAST], before, augment_with, compare, recipe_overrides)
    if augment_with is not None:
        stages = _augmented(stages, augment_with)
    if compare:
        epochs = sum(lesson.recipe.epochs for lesson in stages.values())
        stages = {SCRATCH: own_lessons.from_random(stages[LAST], epochs), **stages}
    if resume:
        runs.check_data(path, stages[LAST].identity, stages[LAST].examples.origin)
    else:
        _begin(before, stages[LAST])  # what can't be done is refused before anything is written
        start = room.name if isinstance(name_or_model, keras.Model) else str(name_or_model)
        strategy = asked.strategy
        if _begins_anew(before, stages[LAST]):
            start, strategy = training.RANDOM, runs.ANEW
        path = runs.new_directory(run_dir, f"{room.name}-{strategy}", asked.seed)
        about = {"started_from_sha256": weights.digest(before), "augment_with": augment_with or ""}
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
            training.how_to_resume(["fine-tune", str(name_or_model), str(data)], options, path)
            if all(isinstance(given, (str, os.PathLike)) for given in files)
            else f"stopped; go on with the same model, data and run_dir={str(path)!r}, resume=True"
        ) from None


def _check_options(
    last: Lesson,
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


def _goes_on_as(before: keras.Model) -> Identity:
    """The identity that the model has from now on; that of a pretraining is its room's own."""
    identity = identify(before)
    entry = identity.entry
    return Identity.of(entry) if identity.task == entry.pretraining else identity


def _augmented(stages: dict[str, Lesson], generator: str) -> dict[str, Lesson]:
    """The same lessons, with drawn images among the examples to train on."""
    last = stages[LAST]
    drawing.check(generator, last.identity)
    share = last.recipe.generated or 1.0
    examples = drawing.add_images(last.examples, last.identity, generator, share, last.seed)
    return {
        name: replace(lesson, examples=examples, recipe=lesson.recipe.override(generated=share))
        for name, lesson in stages.items()
    }


def _describe(
    path: Path, stages: dict[str, Lesson], start: str, strategy: str, about: dict[str, str]
) -> None:
    """Writes what each run is, and the examples that they are measured on; the run's own last."""
    last = stages[LAST]
    if last.validation is not None:
        keeping.save(last.validation, path / runs.VALIDATION)
    for folder, lesson in stages.items():
        if folder != LAST:
            runs.new_directory(path / folder, lesson.room.name, lesson.seed)
        if folder == SCRATCH:
            runs.describe(path / folder, lesson)
        else:
            way = strategy if folder == LAST else folder
            runs.describe(path / folder, lesson, start, strategy=way, **about)


def _begin(before: keras.Model, lesson: Lesson) -> keras.Model:
    """The model that a stage starts from, and which of its layers learn."""
    if _begins_anew(before, lesson):
        return training.begin(lesson)
    keras.utils.set_random_seed(lesson.seed)
    recipe = lesson.recipe
    with precision.policy(precision.resolve(recipe.precision)):
        model = models.build(lesson.room, lesson.identity, **training.any_side(recipe))
    tasks.of(model).check_recipe(model, recipe)
    head = [model.get_layer(name) for name in models.head_of(model)]
    if any(layer.non_trainable_weights for layer in head):
        training.adapt(model, lesson)  # such as the mean and the variance of a quantity
    models.start_from(before, model)
    if recipe.learns == "head":
        freezing.freeze(model)
    elif recipe.learns == "adapters":
        adapters.enable(model, recipe.lora_rank, recipe.lora_alpha or None)
    elif recipe.batch_norm == "frozen":
        freezing.unfreeze(model)
    return model


def _begins_anew(before: keras.Model, lesson: Lesson) -> bool:
    """Whether it is a table of other columns: no layer knows what it is given."""
    return lesson.identity.inputs != identify(before).inputs


def _learn(before: keras.Model, stages: dict[str, Lesson], path: Path) -> runs.Run:
    """Goes through the stages, as far as they were not ended in a sitting before."""
    last, compared = stages[LAST], _compare(before, stages[LAST], path)
    if SCRATCH in stages:
        scratch = stages[SCRATCH]
        monitoring.announce(FROM_RANDOM, scratch.recipe)
        compared[FROM_RANDOM] = _stage(training.begin, scratch, path / SCRATCH).metrics
    if HEAD in stages:
        monitoring.announce(HEAD_ALONE, stages[HEAD].recipe)
        head = _stage(lambda lesson: _begin(before, lesson), stages[HEAD], path / HEAD)
        before = head.model
        if last.validation is not None:
            compared[HEAD_ALONE] = head.metrics
    if len(stages) > 1:
        monitoring.announce("the fine-tuning itself", last.recipe)
    return training.fit(_begin(before, last), last, path, compared=compared)


def _stage(begin: Callable[[Lesson], keras.Model], lesson: Lesson, path: Path) -> runs.Run:
    if runs.is_complete(path):
        return runs.open_run(path)
    return training.fit(begin(lesson), lesson, path)


def _compare(before: keras.Model, lesson: Lesson, path: Path) -> dict[str, dict[str, float]]:
    """What a linear probe has on the validation cut, where the model knows its inputs.

    TensorBoard shows it, and what is known without a look at the inputs, beside the run.
    """
    if lesson.validation is None:
        return {}
    baseline = tasks.of(lesson.identity).baseline(lesson.examples, lesson.validation)
    monitoring.write_figures(path / "compared" / "baseline", lesson, baseline, runs.BASELINE)
    if _begins_anew(before, lesson):
        return {}
    scores = probing.probe(_begin(before, lesson), lesson.examples, lesson.validation)
    monitoring.write_figures(path / "compared" / "probe", lesson, scores, PROBE)
    return {PROBE: scores}


def _interrupted(
    run_dir: str | os.PathLike[str] | None, overrides: dict[str, Any], before: keras.Model
) -> tuple[Path, Asked, str | None, bool]:
    """The fine-tuning to go on with: its directory, what was asked, `augment_with`, `compare`."""
    path, about = training.interrupted(run_dir, identify(before).entry.name, [*overrides])
    if not about.get("strategy"):
        raise RunError(f"the run in {path} is no fine-tuning: keras-fm train ... --resume")
    if about["started_from_sha256"] != weights.digest(before):
        raise RunError(f"the run in {path} started from {about['start']!r} with other weights")
    folders = [folder for folder in (HEAD, LAST) if runs.is_run(path / folder)]
    recipes = {folder: load_recipe(path / folder / "recipe.toml") for folder in folders}
    asked = Asked(about["strategy"], recipes, about["seed"], None)
    return path, asked, about["augment_with"] or None, runs.is_run(path / SCRATCH)
