"""The arguments of `train`, checked before anything slow is imported."""

import errno
import os
from collections.abc import Collection, Mapping
from typing import Any

from keras_fm import registry
from keras_fm.calibration.arguments import check_classifier, check_coverage
from keras_fm.data.datasets import is_recipe_data
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import ProblemType, UserData, check_source, check_target
from keras_fm.distribution.arguments import check_devices
from keras_fm.errors import InvalidInputError, MissingPackageError, RunError, UnknownNameError
from keras_fm.files import check_folder_path, local_path
from keras_fm.models.lookup import look_up
from keras_fm.models.run_files import RANDOM
from keras_fm.options import Verbose, check_float, check_int, check_verbose
from keras_fm.registry import ModelPackage
from keras_fm.registry.recipe import Recipe, load_recipe, recipe_class_of
from keras_fm.training import event_files
from keras_fm.training.interrupted_runs import check_same_options, find_interrupted_run
from keras_fm.training.recipe_files import RecipeFile, load_recipe_file
from keras_fm.training.recipe_overrides import (
    PRETRAINING,
    check_no_dataset,
    check_overrides,
    check_teacher_name,
    override_known,
    split_overrides,
)

MAX_SEED = 2**32 - 1


def check_train(
    name: str,
    *,
    data: Any = None,
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
    callbacks: Any = None,
    histograms: bool = False,
    profile: bool = False,
    verbose: Verbose = "auto",
    **recipe_overrides: Any,
) -> None:
    """Check the arguments of `train` as far as they can be without Keras, the data and the model.

    Raises:
        KerasFmError: As `train` raises it.
    """
    package, tag = registry.find(name)
    if tag is not None:
        raise UnknownNameError(
            f"{name!r} names weights, and a training makes new ones: train {package.name!r}"
        )
    check_seed(seed)
    check_verbose(verbose)
    check_observers(histograms, profile)
    check_devices(devices, hosts, hosts_timeout)
    task_name = package.entry.task
    file = train_recipe_file(recipe, package)
    file.check_data(not is_recipe_data(data) and not isinstance(data, Examples))
    changes = file.merged(recipe_overrides, validates_otherwise=validation_split is not None)
    overrides, pretraining_overrides = split_overrides(changes)
    check_overrides(task_name, overrides, check_train)
    check_validation_split(validation_split, overrides)
    check_calibration(package.name, task_name, calibrate, coverage)
    if resume:
        path, _, _ = find_interrupted_run(
            run_dir,
            name,
            data,
            recipe_overrides,
            recipe=recipe,
            init_from=init_from,
            validation_split=validation_split,
        )
        check_same_options(path, {"seed": (seed, 0)})
    else:
        check_new_directory(run_dir)
        init_from = init_from or default_init_from(package, data)
        check_init_from(package, str(init_from), pretraining_overrides)
    default = file.any_recipe(task_name) or _recipe(package, registry.RECIPE, task_name)
    check_teacher_name(override_known(default, overrides))
    if pretraining_overrides:
        pretraining = str(package.entry.pretraining)
        check_overrides(pretraining, pretraining_overrides, check_train)
        _recipe(package, registry.PRETRAINING, pretraining).override(**pretraining_overrides)
    check_data_options(data, target, problem_type)
    if not is_recipe_data(data):
        check_no_dataset(overrides)
        source = UserData(data, target=target, problem_type=problem_type)
        group = recipe_class_of(task_name).fine_tuning_group
        check_source(source, group)
        check_target(source, group)


def train_recipe_file(recipe: str | os.PathLike[str] | None, package: ModelPackage) -> RecipeFile:
    """Return what the recipe file of a training says, with a table for the pretraining."""
    entry = package.entry
    return load_recipe_file(
        recipe, package, entry.task, stage=PRETRAINING, stage_task=entry.pretraining
    )


def check_calibration(
    name: str, task_name: str, calibrate: bool | None, coverage: float | None
) -> float | None:
    """Return the coverage of a calibration; None for none.

    Args:
        name: Of the model.
        task_name: Of it; what is learned of a table, its data alone say.
        calibrate: See `train`.
        coverage: See `train`.

    Raises:
        InvalidInputError: The model is no classifier, or they don't go together.
    """
    coverage = check_coverage(calibrate, coverage)
    if coverage is not None and recipe_class_of(task_name).fine_tuning_group != "tables":
        check_classifier(name, task_name)
    return coverage


def check_observers(histograms: Any, profile: Any) -> None:
    """Check what TensorBoard gets beside the curves.

    Raises:
        InvalidInputError: One is not True or False.
        MissingPackageError: One is True, and what writes it is not installed.
    """
    for name, value in (("histograms", histograms), ("profile", profile)):
        if not isinstance(value, bool):
            raise InvalidInputError(f"{name} is True or False; received {value!r:.60}")
        if value and not event_files.can_write():
            raise MissingPackageError(
                f"{name}=True adds to TensorBoard's logs, and {event_files.MISSING}: install them, "
                f"or leave out {name}"
            )


def check_seed(seed: int) -> int:
    """Return a seed that Keras takes, or raise an `InvalidInputError`."""
    return check_int("seed", seed, 0, MAX_SEED)


def check_data_options(data: Any, target: str | None, problem_type: str | None) -> None:
    """Check that what is said of a table is said of a user's own data.

    Raises:
        InvalidInputError: The data are others.
    """
    is_made_for_it = is_recipe_data(data) or isinstance(data, Examples)
    if is_made_for_it and (target is not None or problem_type is not None):
        raise InvalidInputError(
            "target and problem_type are for a CSV file or a table: name it as data"
        )


def check_validation_split(validation_split: Any, overrides: Collection[str]) -> float | None:
    """Return the fraction of the data that validates.

    Args:
        validation_split: The option.
        overrides: The names of the recipe fields that the user gave.

    Raises:
        InvalidInputError: It is no fraction, or `validation_examples` says the same otherwise.
    """
    if validation_split is None:
        return None
    if isinstance(validation_split, str):
        raise InvalidInputError(
            "validation_split is a fraction of the data, such as 0.2; that of a TFDS data set "
            f"is validation_data_split of fine_tune; received {validation_split!r}"
        )
    fraction = check_float("validation_split", validation_split, 0.0, 1.0)
    if "validation_examples" in overrides:
        raise InvalidInputError(
            "validation_split and validation_examples each say what validates: give one of them"
        )
    return fraction


def default_init_from(package: ModelPackage, data: Any) -> str:
    """Return the initial weights of a training that names none."""
    if package.entry.pretraining is not None and is_recipe_data(data):
        return PRETRAINING
    return package.entry.init_from or RANDOM


def check_init_from(
    package: ModelPackage, init_from: str, pretraining_overrides: Mapping[str, Any]
) -> None:
    """Check that the model can begin with these weights.

    Raises:
        UnknownNameError: There are none, or no pretraining that has recipe fields.
        RunError: They are those of a run that did not end.
    """
    if init_from == PRETRAINING and package.entry.pretraining is None:
        raise UnknownNameError(
            f"{package.name!r} has no pretraining; initialize it with {RANDOM!r} weights"
        )
    if init_from != PRETRAINING and pretraining_overrides:
        fields = ", ".join(f"{PRETRAINING}.{name}" for name in pretraining_overrides)
        raise UnknownNameError(
            f"{fields}: this training of {package.name!r} has no pretraining, for it is "
            f"initialized from {init_from!r}"
        )
    if init_from not in (PRETRAINING, RANDOM):
        look_up(init_from)


def check_new_directory(run_dir: str | os.PathLike[str] | None) -> None:
    """Check that a run can be written into a directory; None is a new one under `runs/`.

    Raises:
        RunError: It exists and is not empty, or can't be made.
    """
    path = local_path(run_dir or "runs")
    is_used = path.is_file() or (path.is_dir() and any(path.iterdir()))
    if run_dir is not None and is_used:
        raise RunError(
            f"{path} exists; name another run directory, or resume the run in it: resume=True "
            "(--resume on the command line)"
        )
    try:
        check_folder_path(path)
    except InvalidInputError as error:
        reason = f"{os.strerror(errno.ENOTDIR)} ({error})"
        raise RunError(f"the run directory {path} can't be made: {reason}") from None


def _recipe(package: ModelPackage, file: str, task_name: str) -> Recipe:
    return load_recipe(package.path / file, recipe_class_of(task_name))
