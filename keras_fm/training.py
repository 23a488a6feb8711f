"""Training: recipe -> compiled model -> `fit` -> run directory."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_fm import adapters, models, precision, registry, runs, tasks, weights
from keras_fm.data import Examples
from keras_fm.errors import RunError, UnknownNameError
from keras_fm.learning import frozen, lessons, monitoring
from keras_fm.learning.checkpointing import Checkpoints
from keras_fm.learning.lessons import Lesson
from keras_fm.learning.stopping import KeepBest
from keras_fm.recipe import Recipe, load_recipe

RANDOM, PRETRAINING = "random", "pretraining"


def train(
    name: str,
    *,
    data: lessons.Data = None,
    target: str | None = None,
    kind: str | None = None,
    start: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    **recipe_overrides: Any,
) -> runs.Run:
    """Trains a model of the zoo by its recipe, from random weights or from its pretraining.

    Args:
        name: the model's name.
        data: None for the recipe's data set; `"sample"` for its bundled sample; `Examples`, whose
            last ones validate; or a path: for a model of tables of a CSV file, where a fifth of the
            rows, drawn by `seed`, validates; for one of characters of a text, whose last tenth
            does. A table may be a data frame, too. Steps are at least 32 an epoch.
        target: the column of the CSV file to answer.
        kind: "regression" or "classification"; None: what the column looks like.
        start: "random" weights; "pretraining": those of a model that learns the room's other task
            first, by its `pretraining.toml`, in `<run_dir>/pretraining`; or a run, or a pretrained
            model's name, whose layers this model has too. None: "pretraining" where the room has
            one and trains on its own data, else what its entry starts from, else "random".
        run_dir: a directory that does not exist yet; None: `runs/<name>-<time>-seed<seed>`.
        resume: go on with the training in `run_dir` that was stopped, by its own recipe and seed.
        seed: of the weights, the order of examples and their augmentation.
        **recipe_overrides: fields of the recipe, such as `epochs=2`; those of the pretraining's
            have "pretraining." in front.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation cut, `path`, `report()`.

    Raises:
        UnknownNameError: no such model or recipe field. SchemaError: a field's value does not fit.
        RunError: the directory exists, or there is nothing to resume. DataError: no data.
        InvalidInputError: `start` is a model of other layers.
    """
    room, tag = registry.find(name)
    seed = lessons.check_seed(seed)
    if tag is not None:
        raise UnknownNameError(
            f"{name!r} names weights, and a training makes new ones: train {room.name!r}"
        )
    if resume:
        path, start, seed = _interrupted(run_dir, name, start, recipe_overrides)
        recipe = load_recipe(path / "recipe.toml")
        before = load_recipe(path / PRETRAINING / "recipe.toml") if start == PRETRAINING else None
        chosen = None  # its recipes are fitted to the data
    else:
        start = start or _usual_start(room, data)
        recipe, before = _recipes(room, str(start), recipe_overrides)
        chosen = recipe_overrides.keys()
    lesson = lessons.prepare(room, recipe, seed, data, target, kind, chosen=chosen)
    model, first = begin(lesson), None
    if before is not None:
        first = lessons.prepare_pretraining(room, before, seed, data, chosen=chosen)
    elif start != RANDOM:
        models.start_from(runs.as_model(start), model)
    if resume:
        runs.check_data(path, lesson.identity, lesson.examples.origin)
    else:
        path = runs.new_directory(run_dir, name, seed)
        if first is not None:
            runs.describe(runs.new_directory(path / PRETRAINING, name, seed), first)
        runs.describe(path, lesson, start=str(start))
    try:
        if first is not None:
            models.start_from(_pretrained(first, path / PRETRAINING), model)
        return fit(model, lesson, path)
    except KeyboardInterrupt:
        given = {"data": data, "target": target, "kind": kind}
        named = {option: value for option, value in given.items() if isinstance(value, str)}
        raise KeyboardInterrupt(how_to_resume(["train", name], named, path)) from None


def how_to_resume(verb: Sequence[str], options: Mapping[str, Any], path: Path) -> str:
    """The sentence with the command that goes on with a training that was stopped.

    Args:
        verb: and what stands behind it. options: of the command by name; None: left out.
    """
    words = ["keras-fm", *verb]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", *([value] if isinstance(value, (str, os.PathLike)) else value)]
    return f"stopped; go on with: {shlex.join(map(str, [*words, '--run-dir', path, '--resume']))}"


def begin(lesson: Lesson) -> keras.Model:
    """The model that a training starts from: random weights, and what `adapt` sees in the data.

    As the task's builder is a function in the room's `model.py`, so is `adapt`, or that of the same
    ending: `build_masked_language_model`, `adapt_masked_language_model`.
    """
    keras.utils.set_random_seed(lesson.seed)
    with precision.policy(precision.resolve(lesson.recipe.precision)):
        model = models.build(lesson.room, lesson.identity, **any_side(lesson.recipe))
    tasks.of(model).check_recipe(model, lesson.recipe)
    adapt(model, lesson)
    return model


def adapt(model: keras.Model, lesson: Lesson) -> None:
    """Lets the room's `adapt`, where there is one, see what there is to learn."""
    task = tasks.of(model)
    name = task.builder.replace("build", "adapt")
    own = getattr(lesson.room.module("model"), name, None)
    if own is not None:
        own(model, task.encode(lesson.adapting))


def fit(
    model: keras.Model,
    lesson: Lesson,
    path: Path,
    *,
    compared: Mapping[str, dict[str, float]] | None = None,
) -> runs.Run:
    """Trains `model` into the run directory `path`, and measures and saves it.

    Args:
        compared: what other ways have on the same validation cut, for the report.
    """
    task, recipe, validation = tasks.of(model), lesson.recipe, lesson.validation
    plain = task.batches(lesson.examples, recipe, lesson.seed)
    adapters.keep_apart(model)
    if frozen.is_enough(recipe):
        learns, batches, held_out = frozen.on_features(task, model, lesson, plain)
    else:
        held_out = None if validation is None else task.held_out(validation)
        learns, batches = model, plain
    learner = task.learner(learns, recipe, steps=len(batches) * recipe.epochs)
    checkpoints = Checkpoints(path / "checkpoints")
    stopping = _stopping(learner, recipe, held_out, checkpoints.folder)
    first, last = checkpoints.restore(learner), recipe.epochs
    if not all(each.go_on(runs.read_history(path / "history.csv")[:first]) for each in stopping):
        last = first
    learner.fit(
        batches.stream(),
        initial_epoch=first,
        epochs=last,
        validation_data=held_out,
        class_weight=task.class_weight(lesson.examples, recipe),
        callbacks=[
            monitoring.FollowEpochs(batches),
            *monitoring.callbacks(path, plain, task, model),
            *stopping,
            checkpoints,
        ],
        shuffle=False,  # the batches were shuffled, by seed and epoch
        verbose=monitoring.verbosity(),
    )
    trained = _plain(model, recipe, path)
    weights.save(trained, path / "model.weights.h5")  # measuring may take minutes, or fail
    baseline = {} if validation is None else task.baseline(lesson.examples, validation)
    metrics = _close(trained, validation, path)
    about = runs.read(path)
    way = about.get("strategy") or f"from {about['start']}"
    monitoring.write_figures(path, lesson, metrics, way=way)
    run = runs.finish(
        path, trained, metrics=metrics, baseline=baseline, compared=dict(compared or {})
    )
    checkpoints.clear()
    return run


def _stopping(learner: keras.Model, recipe: Recipe, held_out: Any, folder: Path) -> list[KeepBest]:
    """What ends a training early, where the recipe wants it and there is what to measure."""
    if not recipe.patience or held_out is None:
        return []
    before = learner.evaluate(held_out, verbose=0, return_dict=True)
    return [KeepBest(folder, recipe.patience, before["loss"])]


def _plain(model: keras.Model, recipe: Recipe, path: Path) -> keras.Model:
    """The trained model in float32; adapters, which it has in its kernels, in a file beside it."""
    if recipe.learns != "adapters":
        return models.in_float32(model)
    adapters.save(model, path / f"adapters{adapters.SUFFIX}")
    return adapters.merge(model)


def _pretrained(lesson: Lesson, path: Path) -> keras.Model:
    """The model that learned the lesson in `path`, now or in a sitting before."""
    if runs.is_complete(path):
        return runs.open_run(path).model
    return fit(begin(lesson), lesson, path).model


def any_side(recipe: Recipe) -> dict[str, None]:
    """What `build` is told when the images grow while it trains."""
    return {"image_size": None} if recipe.sides else {}


def _close(model: keras.Model, validation: Examples | None, path: Path) -> dict[str, float]:
    """Measures the finished model on the validation cut, and draws what it answers."""
    if validation is None:
        return {}
    task = tasks.of(model)
    monitoring.write_pictures(path, task.draw_answers(model, validation))
    monitoring.write_embeddings(path, task.embeddings(model, validation))
    return task.measure(model, validation)


def _usual_start(room: registry.Room, data: lessons.Data) -> str:
    if room.entry.pretraining is not None and lessons.is_own(data):
        return PRETRAINING
    return room.entry.start or RANDOM


def _recipes(
    room: registry.Room, start: str, overrides: dict[str, Any]
) -> tuple[Recipe, Recipe | None]:
    """The recipe, and that of the pretraining where the training starts with it."""
    prefix = f"{PRETRAINING}."
    before = {name: value for name, value in overrides.items() if name.startswith(prefix)}
    recipe = room.recipe.override(**{n: v for n, v in overrides.items() if n not in before})
    if start == PRETRAINING and room.entry.pretraining is None:
        raise UnknownNameError(f"{room.name!r} has no pretraining; start from {RANDOM!r} weights")
    if start != PRETRAINING:
        if before:
            raise UnknownNameError(
                f"{', '.join(before)}: this training of {room.name!r} has no pretraining, for it "
                f"starts from {start!r}"
            )
        return recipe, None
    changes = {name.removeprefix(prefix): value for name, value in before.items()}
    return recipe, room.pretraining_recipe.override(**changes)


def _interrupted(
    run_dir: str | os.PathLike[str] | None,
    name: str,
    start: str | os.PathLike[str] | None,
    overrides: dict[str, Any],
) -> tuple[Path, str, int]:
    """The directory, start and seed of the training to go on with."""
    path, about = interrupted(run_dir, name, [*overrides, *([] if start is None else ["start"])])
    if "strategy" in about:
        raise RunError(f"the run in {path} is a fine-tuning; go on with it by fine-tune")
    return path, about["start"], about["seed"]


def interrupted(
    run_dir: str | os.PathLike[str] | None, name: str, given: Sequence[str]
) -> tuple[Path, dict[str, Any]]:
    """The directory of a run that was stopped, and what is known of it.

    Args:
        name: the model that is to go on. given: options that a resumed run has already.

    Raises:
        RunError: there is none, or it ended, or it is another model's.
    """
    if run_dir is None:
        raise RunError("resume=True needs run_dir: the directory of the training that was stopped")
    if given:
        raise RunError(
            f"a resumed training keeps its recipe and start; leave out {', '.join(given)}, or "
            "start anew"
        )
    path = Path(run_dir)
    about = runs.read(path)
    if about["model"] != name:
        raise RunError(f"the run in {path} trains {about['model']!r}, not {name!r}")
    if runs.is_complete(path):
        raise RunError(f"the training in {path} is complete; there is nothing to resume")
    return path, about
