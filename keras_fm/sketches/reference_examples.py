"""The examples that a sketch is made of: held out from the training, where there are any.

A model is surer of what it learned than of anything else, so training examples themselves would
make new ones look as if they had drifted.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from keras_fm.data import datasets, example_files, splitting
from keras_fm.data.examples import Examples
from keras_fm.errors import KerasFmError
from keras_fm.models import run_files
from keras_fm.registry.recipe import load_recipe
from keras_fm.tasks.base import Task


@dataclass(frozen=True)
class Reference:
    """Examples to make a sketch of.

    Attributes:
        examples: The examples.
        has_sizes: Whether its images have the sizes that they came in.
    """

    examples: Examples
    has_sizes: bool


def reference_examples(task: Task, run: Path | None) -> Reference | None:
    """Return examples of the training data that are at hand, without a download.

    Args:
        task: Of the model.
        run: The run directory that it is from; None where it is from none.

    Returns:
        Those that validated the run or the zoo's training; all to train on where none did; of a
        data set that is not on this machine the bundled sample. None where there are none.
    """
    try:
        examples = _of_run(task, run) if run is not None else _of_zoo(task)
    except KerasFmError:  # moved, cut, or another package's data set
        return None
    if examples is None or not len(examples):
        return None
    own_file = run is not None and _validation_file(run) is not None
    return Reference(examples, has_sizes=not own_file)


def _of_run(task: Task, run: Path) -> Examples | None:
    file = _validation_file(run)
    if file is not None:
        return example_files.load_examples(file)
    split = run_files.read_run(run).get("split")
    if not split:
        return None
    recipe = load_recipe(run / run_files.RECIPE, type(task).recipe_class)
    return _of_dataset(task, recipe.dataset, split, recipe.validation_examples)


def _validation_file(run: Path) -> Path | None:
    """Return the validation examples of a run, or of the fine-tuning that it is a stage of."""
    folders = [folder for folder in (run, run.parent) if run_files.is_run(folder)]
    files = [folder / run_files.VALIDATION for folder in folders]
    return next((file for file in files if file.is_file()), None)


def _of_zoo(task: Task) -> Examples | None:
    if not task.spec.is_default:
        return None
    recipe = task.default_recipe()
    split = task.spec.entry.split("train")
    return _of_dataset(task, task.spec.entry.dataset, split, recipe.validation_examples)


def _of_dataset(task: Task, dataset: str, split: str, num_validation: int) -> Examples:
    is_here = split != datasets.SAMPLE and _is_prepared(dataset)
    if not is_here:
        return task.data.load_dataset(dataset, datasets.SAMPLE)
    examples = task.data.load_dataset(dataset, split)
    train, validation = splitting.split_validation(examples, num_validation)
    return train if validation is None else validation


def _is_prepared(dataset: str) -> bool:
    """Return whether a data set is on this machine; without TFDS, which is slow, where not."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    name = dataset.removeprefix("tfds:").partition("/")[0].partition(":")[0]
    return (folder / name).exists() and datasets.is_prepared(dataset)
