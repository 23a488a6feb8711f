"""Training: recipe -> compiled model -> `fit` -> run directory."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_fm import registry
from keras_fm.errors import RunError, UnknownNameError
from keras_fm.models import loading, run_files, transfer
from keras_fm.models.building import build_for_training
from keras_fm.registry.recipe import Recipe, load_recipe
from keras_fm.training import jobs, runs
from keras_fm.training.fit import fit
from keras_fm.training.jobs import TrainingJob

RANDOM, PRETRAINING = "random", "pretraining"


def train(
    name: str,
    *,
    data: jobs.Data = None,
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
    seed = jobs.check_seed(seed)
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
    lesson = jobs.training_job(room, recipe, seed, data, target, kind, chosen=chosen)
    model, first = build_for_training(lesson), None
    if before is not None:
        first = jobs.pretraining_job(room, before, seed, data, chosen=chosen)
    elif start != RANDOM:
        transfer.transfer_weights(loading.resolve_model(start), model)
    if resume:
        runs.check_data(path, lesson.identity, lesson.examples.description)
    else:
        path = runs.new_directory(run_dir, name, seed)
        if first is not None:
            runs.write_run_info(runs.new_directory(path / PRETRAINING, name, seed), first)
        runs.write_run_info(path, lesson, start=str(start))
    try:
        if first is not None:
            transfer.transfer_weights(_pretrained(first, path / PRETRAINING), model)
        return fit(model, lesson, path)
    except KeyboardInterrupt:
        given = {"data": data, "target": target, "kind": kind}
        named = {option: value for option, value in given.items() if isinstance(value, str)}
        raise KeyboardInterrupt(resume_command(["train", name], named, path)) from None


def resume_command(verb: Sequence[str], options: Mapping[str, Any], path: Path) -> str:
    """The sentence with the command that goes on with a training that was stopped.

    Args:
        verb: and what stands behind it. options: of the command by name; None: left out.
    """
    words = ["keras-fm", *verb]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", *([value] if isinstance(value, (str, os.PathLike)) else value)]
    return f"stopped; go on with: {shlex.join(map(str, [*words, '--run-dir', path, '--resume']))}"


def _pretrained(lesson: TrainingJob, path: Path) -> keras.Model:
    """The model that learned the lesson in `path`, now or in a sitting before."""
    if run_files.is_complete(path):
        return runs.load_run(path).model
    return fit(build_for_training(lesson), lesson, path).model


def _usual_start(room: registry.ModelPackage, data: jobs.Data) -> str:
    if room.entry.pretraining is not None and jobs.is_recipe_data(data):
        return PRETRAINING
    return room.entry.start or RANDOM


def _recipes(
    room: registry.ModelPackage, start: str, overrides: dict[str, Any]
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
    path, about = load_interrupted_run(
        run_dir, name, [*overrides, *([] if start is None else ["start"])]
    )
    if "strategy" in about:
        raise RunError(f"the run in {path} is a fine-tuning; go on with it by fine-tune")
    return path, about["start"], about["seed"]


def load_interrupted_run(
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
    about = run_files.read_run(path)
    if about["model"] != name:
        raise RunError(f"the run in {path} trains {about['model']!r}, not {name!r}")
    if run_files.is_complete(path):
        raise RunError(f"the training in {path} is complete; there is nothing to resume")
    return path, about
