"""The examples of a run: those that validated it, and digests of those that it was trained on."""

import shlex
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.data import example_files, splitting
from keras_fm.data.datasets import SAMPLE
from keras_fm.data.example_digests import load_digests
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, DataWarning
from keras_fm.formatting import choose_form
from keras_fm.models import run_files
from keras_fm.registry.recipe import load_recipe
from keras_fm.tasks.base import Task

# In a table of which fewer rows are different, equal rows are no sign that they are the same.
_MIN_DISTINCT_SHARE = 0.9


def default_examples(path: Path, task: Task) -> Examples:
    """Load what `evaluate` takes of a run where the user names nothing.

    Those that validated, of a run on a user's own data or on the bundled sample; else the test
    split of its data set.

    Raises:
        DataError: None validated, or they are gone.
    """
    split = run_files.read_run(path).get("split")
    has_file = _file_of(path, run_files.VALIDATION) is not None
    if has_file or split in ("", SAMPLE):
        return validation_examples(path, task)
    return task.data.load("test")


def validation_examples(path: Path, task: Task) -> Examples:
    """Load the examples that validated a run, on which its metrics were measured.

    Args:
        path: The run directory; a stage of a fine-tuning has those of the whole.
        task: Of its model.

    Raises:
        DataError: None validated, they are gone, or the data set can't be had.
    """
    file = _file_of(path, run_files.VALIDATION)
    if file is not None:
        return example_files.load_examples(file)
    run_info = run_files.read_run(path)
    recipe = load_recipe(path / run_files.RECIPE, type(task).recipe_class)
    validation = None
    if run_info.get("split"):
        examples = task.data.load_dataset(recipe.dataset, run_info["split"])
        _, validation = splitting.split_validation(examples, recipe.validation_examples)
    elif run_files.read_result(path)["metrics"]:
        raise DataError(
            f"{path / run_files.VALIDATION} holds no examples: it is not there any more; evaluate "
            f"the run on other data: {_evaluate_command(path)}"
        )
    if validation is None:
        raise DataError(
            f"no example validated the run in {path}, trained on {run_info['data']}: say what to "
            f"evaluate it on: {_evaluate_command(path)}"
        )
    return validation


def warn_known_examples(path: Path, task: Task, examples: Examples) -> None:
    """Warn of examples on which the model of a run was trained: it may have memorized them.

    Args:
        path: The run directory. One of an earlier version has no digests.
        task: Of its model.
        examples: To evaluate on.
    """
    file = _file_of(path, run_files.DIGESTS)
    if file is None or examples.folds is not None:  # of which no member sees what it learned
        return
    known, digests = load_digests(file), task.data.digests(examples)
    count = int(np.isin(digests, known).sum())
    if not count:
        return
    was = choose_form(count, "was", "were")
    sentence = f"{count:,} of {len(digests):,} {task.data.digest_unit} {was} in the training data"
    if _has_repeated_rows(examples.inputs, known):
        sentence = (
            f"{count:,} of {len(digests):,} rows {choose_form(count, 'is', 'are')} equal to rows "
            "of the training data, in which rows recur"
        )
    warnings.warn(f"{sentence}: the metrics say less about new data", DataWarning, stacklevel=2)


def _has_repeated_rows(inputs: Any, digests: np.ndarray) -> bool:
    is_table = isinstance(inputs, dict)
    return is_table and len(np.unique(digests)) < _MIN_DISTINCT_SHARE * len(digests)


def _file_of(path: Path, name: str) -> Path | None:
    """Return a file of a run, or of the fine-tuning that it is a stage of."""
    for folder in (path, path.parent):
        if run_files.is_run(folder) and (folder / name).is_file():
            return folder / name
    return None


def _evaluate_command(path: Path) -> str:
    return f"{shlex.join(['keras-fm', 'evaluate', str(path)])} --data DATA"
