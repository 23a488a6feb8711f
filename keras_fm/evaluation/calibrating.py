"""Calibrates a model on held-out examples: a user's own, or those that its recipe held out."""

import os
from pathlib import Path
from typing import Any

import keras

from keras_fm import registry, store
from keras_fm.calibration import arguments, fitting
from keras_fm.calibration.calibration import Calibration, load_calibration
from keras_fm.data import splitting
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.evaluation import run_examples
from keras_fm.models import run_files
from keras_fm.models.loading import with_calibration
from keras_fm.models.spec import spec_of
from keras_fm.registry.recipe import load_recipe
from keras_fm.tasks.base import Task, task_of


def calibrated_model(
    model: keras.Model,
    name_or_model: str | os.PathLike[str] | keras.Model,
    coverage: float,
    user_data: UserData | None = None,
) -> keras.Model:
    """Return the model with a calibration of this coverage.

    One that it has, or that ships with the zoo's weights, is taken where it has this coverage and
    there are no other examples.

    Args:
        model: The model.
        name_or_model: What the user called it.
        coverage: The share of examples whose class is in the prediction set.
        user_data: Examples that the model was not trained on; None for those that validated the
            run, or that the zoo's recipe held out of the training split.

    Raises:
        DataError: There are no such examples, or too few.
        InvalidInputError: The model is no classifier.
    """
    spec = spec_of(model)
    arguments.check_classifier(spec.name, spec.task_name)
    if user_data is None:
        fitted = known_calibration(model, name_or_model)
        if fitted is not None and fitted.coverage == coverage:
            return with_calibration(model, fitted)
    examples = held_out_examples(task_of(model), name_or_model, user_data)
    return with_calibration(model, calibrate(model, examples, coverage))


def calibrate(
    model: keras.Model, examples: Examples, coverage: float, *, outputs: Any = None
) -> Calibration:
    """Fit a calibration on examples that the model was not trained on.

    Args:
        model: A classifier.
        examples: Of its task.
        coverage: The share of examples whose class is in the prediction set.
        outputs: What the objective's `outputs` returned for them, if it was called before.

    Raises:
        DataError: There are too few.
    """
    arguments.check_num_examples(examples.description, len(examples), coverage)
    if outputs is None:
        outputs = task_of(model).predictor.predict_examples(model, examples)
    return fitting.fit_calibration(
        outputs,
        examples.targets,
        coverage,
        data=examples.description,
        data_sha256=examples.sha256(),
    )


def held_out_examples(task: Task, name_or_model: Any, user_data: UserData | None) -> Examples:
    """Load the examples that a model is calibrated on.

    Raises:
        DataError: There are none, or they can't be had.
    """
    path = run_files.run_path(name_or_model)
    if user_data is not None:
        data = user_data.data
        examples = data if isinstance(data, Examples) else task.data.load_eval_data(user_data)
        task.data.check(examples)
        if path is not None:
            run_examples.warn_known_examples(path, task, examples)
        return examples
    if path is not None:
        examples = run_examples.validation_examples(path, task)
        task.data.check(examples)
        return examples
    if isinstance(name_or_model, keras.Model) or run_files.is_model_path(name_or_model):
        raise DataError(arguments.describe_missing("this model"))
    return _recipe_validation(task, str(name_or_model))


def _recipe_validation(task: Task, name: str) -> Examples:
    """Load what the recipe of the zoo's weights held out at the end of its training split."""
    package, tag = registry.find(name)
    record = package.entry.weights_of(tag)
    recipe = load_recipe(package.path / record.recipe, type(task).recipe_class)
    if not recipe.validation_examples:
        raise DataError(
            f"{name} was trained on all examples of {recipe.dataset}'s training split: "
            f"{arguments.describe_missing(name)}"
        )
    split = package.entry.split("train")
    _, validation = splitting.split_validation(
        task.data.load_dataset(recipe.dataset, split), recipe.validation_examples
    )
    assert validation is not None, "the recipe has validation examples"
    return validation


def known_calibration(model: keras.Model, name_or_model: Any) -> Calibration | None:
    """Return the calibration that a model carries, or that ships with the weights of the zoo."""
    fitted = spec_of(model).calibration
    if fitted is not None or not isinstance(name_or_model, str):
        return fitted
    if run_files.is_model_path(name_or_model):
        return None
    package, tag = registry.find(name_or_model)
    claims = package.entry.weights_of(tag).calibration
    return (
        None if claims is None else shipped_calibration(package.path / claims.file, claims.sha256)
    )


def shipped_calibration(path: Path, sha256: str) -> Calibration:
    """Read a calibration that ships with weights.

    Raises:
        WeightsError: It is another than the entry says.
    """
    store.check_sha256(store.WeightsFile(path, sha256))
    return load_calibration(path)


def without_calibration(model: keras.Model) -> keras.Model:
    """Return the model as it is without its calibration."""
    return model if spec_of(model).calibration is None else with_calibration(model, None)
