"""Trainings that were stopped: which is resumed, and what of it stays as it was."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_fm.data.datasets import is_recipe_data
from keras_fm.errors import RunError
from keras_fm.files import local_path
from keras_fm.models import run_files
from keras_fm.registry.recipe import load_recipe, recipe_class_of


def load_interrupted_run(
    run_dir: str | os.PathLike[str] | None, name: str, options: Sequence[str]
) -> tuple[Path, dict[str, Any]]:
    """Return the directory of a run that was stopped, and its `run.json`.

    Args:
        run_dir: As the user gave it.
        name: The model that is to be trained.
        options: Those that a resumed run has already.

    Raises:
        RunError: There is none, or it ended, or it is another model's.
    """
    if run_dir is None:
        raise RunError(
            "resume=True needs run_dir (--resume needs --run-dir): the directory of the training "
            "that was stopped"
        )
    if options:
        raise RunError(
            f"a resumed training keeps its recipe and its initial weights; leave out "
            f"{', '.join(options)}, or start a new run"
        )
    path = local_path(run_dir)
    run_info = run_files.read_run(path)
    if run_info["model"] != name:
        raise RunError(f"the run in {path} trains {run_info['model']!r}, not {name!r}")
    if run_files.is_complete(path):
        raise RunError(f"the training in {path} is complete; there is nothing to resume")
    return path, run_info


def check_same_options(
    path: Path, options: Mapping[str, tuple[Any, Any]], **run_values: Any
) -> None:
    """Check that options say of a resumed run what it is; one that is left out says nothing.

    Args:
        path: The directory of the run.
        options: The value of each and its default, by name.
        **run_values: What the run has, where `run.json` does not say so under the option's name.

    Raises:
        RunError: One says otherwise.
    """
    run_values = run_files.read_run(path) | run_values
    for name, (value, default) in options.items():
        if value != default and value != run_values[name]:
            raise RunError(
                f"the run in {path} began with {name}={run_values[name]!r}; received "
                f"{name}={value!r}: a resumed training keeps it; leave it out, or start a new run"
            )


def find_interrupted_run(
    run_dir: str | os.PathLike[str] | None,
    name: str,
    data: Any,
    overrides: Mapping[str, Any],
    **options: Any,
) -> tuple[Path, str, int]:
    """Return the directory, initial weights and seed of the training to resume.

    Args:
        run_dir: As the user gave it.
        name: The model that is to be trained.
        data: See `train`.
        overrides: The recipe fields that the user gave.
        **options: Others that a resumed run has already; None where the user gave none.

    Raises:
        RunError: There is none, or it ended, or it is another model's, or began on other data.
    """
    changes = [*overrides, *(option for option, value in options.items() if value is not None)]
    path, run_info = load_interrupted_run(run_dir, name, changes)
    if "strategy" in run_info:
        raise RunError(f"the run in {path} is a fine-tuning; resume it by fine-tune")
    if run_info.get("split") == "" and is_recipe_data(data):  # it began on a user's own
        raise RunError(
            f"the run in {path} began on {run_info['data']}: name the same data again (data=, or "
            "--data)"
        )
    return path, run_info["init_from"], run_info["seed"]


def check_validation_data(path: Path, validation_data: Any) -> None:
    """Check that a resumed fine-tuning validates on what it validated on: a part, or other data.

    Args:
        path: The directory of the run.
        validation_data: See `fine_tune`.

    Raises:
        RunError: It would not.
    """
    run_info = run_files.read_run(path)
    recipe = load_recipe(path / run_files.RECIPE, recipe_class_of(run_info["task"]))
    if validation_data is not None and recipe.validation_examples:
        raise RunError(
            f"the run in {path} validates on a part of its data, and a resumed training keeps it; "
            "leave out validation_data, or start a new run"
        )
    has_validation = (path / run_files.VALIDATION).exists()
    if validation_data is None and has_validation and not recipe.validation_examples:
        raise RunError(
            f"the run in {path} validates on other data than it learns from: name the same again "
            "(validation_data=, or --validation-data)"
        )
