"""The arguments of `tune`, checked before anything slow is imported."""

import importlib.util
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_fm.data.datasets import is_recipe_data
from keras_fm.errors import InvalidInputError, SchemaError
from keras_fm.files import check_folder_path, local_path
from keras_fm.options import Verbose, check_int, check_verbose, to_python
from keras_fm.registry.recipe import check_fields
from keras_fm.tuning.space import STAGES, Space, default_space, read_space
from keras_fm.tuning.trial_training import TrialTraining

NUM_TRIALS = 20
_NUM_CHECKED = 20  # random trials of a space whose recipes are checked


def check_tune(
    name: str,
    *,
    data: Any = None,
    space: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    trials: int = NUM_TRIALS,
    directory: str | os.PathLike[str] | None = None,
    metric: str | None = None,
    pruning: bool = True,
    strategy: str | None = None,
    text: str | None = None,
    target: str | None = None,
    problem_type: str | None = None,
    init_from: str | os.PathLike[str] | None = None,
    validation_split: float | None = None,
    seed: int = 0,
    verbose: Verbose = "auto",
    **recipe_overrides: Any,
) -> tuple[TrialTraining, Space, Path]:
    """Check the arguments of `tune` as far as they can be without Keras, the data and the model.

    Returns:
        The training of each trial, the space, and the directory.

    Raises:
        KerasFmError: As `tune` raises it.
    """
    check_verbose(verbose)
    options = {
        "text": text,
        "target": target,
        "problem_type": problem_type,
        "init_from": init_from,
        "validation_split": validation_split,
    }
    options = {option: value for option, value in options.items() if value is not None}
    _check_strategy(data, strategy, options)
    overrides = {field: to_python(value) for field, value in recipe_overrides.items()}
    training = TrialTraining(name, data, strategy, options, to_python(seed), overrides)
    folder = local_path(directory or Path("tuning") / Path(name).name)
    training.check({}, folder / "trials" / "next")
    check_folder_path(folder)
    check_int("trials", trials, 1)
    checked = checked_space(training, space, folder)
    check_optuna_is_installed()
    return training, checked, folder


def checked_space(training: TrialTraining, space: Any, folder: Path, task: str = "") -> Space:
    """Return the space of a search: the user's own, or that of the task.

    Args:
        training: Of each trial.
        space: As `tune` takes it.
        folder: Of the search.
        task: The ID of the task, where the data have said which it is.

    Raises:
        KerasFmError: A field is unknown, its range is empty, or no recipe has such values.
    """
    is_default = space is None
    read = read_space(default_space(task or training.task_name) if is_default else space)
    if is_default:  # a value for all trials takes the place of a range
        fields = {n: f for n, f in read.fields.items() if n not in training.overrides}
        if not fields:
            raise InvalidInputError(
                "every field of the space has a value for all trials: nothing is left to search"
            )
        read = Space(read.where, fields)
    _check_names(training, read)
    checked = read.check(training.recipe_classes)
    if not is_default:
        _check_trials(training, checked, folder)
    return checked


def check_optuna_is_installed() -> None:
    """Raise an `InvalidInputError` where the package is not there."""
    if importlib.util.find_spec("optuna") is None:
        raise InvalidInputError("tune needs the package optuna: pip install 'keras_fm[tune]'")


def _check_strategy(data: Any, strategy: str | None, options: Mapping[str, Any]) -> None:
    if strategy is not None and is_recipe_data(data):
        raise InvalidInputError(
            f"strategy={strategy!r} fine-tunes on a user's own data: name them as data (--data)"
        )
    only_training, only_fine_tuning = "init_from", "text"
    if strategy is None and only_fine_tuning in options:
        raise InvalidInputError(
            "text is the column of the texts to fine-tune on: name a strategy too, such as "
            "strategy='head_then_full' (--strategy)"
        )
    if strategy is not None and only_training in options:
        raise InvalidInputError(
            "init_from is of trainings without a strategy: a fine-tuning starts from the model "
            "itself"
        )


def _check_names(training: TrialTraining, space: Space) -> None:
    """Check that each field of a space is one of the recipe's, and has no value already."""
    classes = training.recipe_classes
    for name in space.fields:
        stage, _, field = name.rpartition(".")
        known = classes.get(stage, []) if stage in ("", *STAGES) else classes[""]
        described = f"{space.where}: the recipe" if known else f"{space.where}: {training.name}"
        check_fields([field if known else name], known or classes[""], described)
        if name in training.overrides:
            raise InvalidInputError(
                f"{space.where}: {name} has a range, and {name}={training.overrides[name]!r} is "
                "for all trials: leave out one of them"
            )


def _check_trials(training: TrialTraining, space: Space, folder: Path) -> None:
    """Check recipes of the space: what one field means for another."""
    resolved, rng = space.resolve(training.recipe_values()), random.Random(0)
    for _ in range(_NUM_CHECKED):
        values = resolved.draw(rng)
        try:
            training.check(values, folder / "trials" / "next")
        except SchemaError as error:
            drawn = ", ".join(f"{name}={value!r}" for name, value in values.items())
            raise SchemaError(f"{space.where}: a trial would have {drawn}: {error}") from None
