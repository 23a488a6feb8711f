"""The recipe fields that a user gives to a training, checked before anything slow is imported."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.models.lookup import look_up
from keras_fm.registry.recipe import Recipe, check_fields, recipe_class_of
from keras_fm.registry.tasks import TASKS

PRETRAINING = "pretraining"


def check_overrides(
    task_name: str, names: Collection[str], check: Callable[..., None] | None = None
) -> None:
    """Check the names of recipe fields before any data is loaded.

    A user's table may turn a regression into a classification, so the fields of all tasks of the
    group are known until then.

    Args:
        task_name: The ID of the model's task.
        names: What the user gave.
        check: `check_train` or `check_fine_tune`, which has the options of that function: they may
            be meant.

    Raises:
        UnknownNameError: No such recipe has this field.
    """
    recipe_classes = recipe_classes_of(task_name)
    if check is None:
        check_fields(names, recipe_classes)
        return
    verb, options = check.__name__.removeprefix("check_"), inspect.signature(check).parameters
    check_fields(names, recipe_classes, verb=verb, options=options)


def recipe_classes_of(task_name: str) -> list[type[Recipe]]:
    """Return the classes of recipes that a model may be trained by, that of its own task first."""
    classes = [recipe_class_of(task_name)]
    if classes[0].fine_tuning_group == "tables":
        others = (name for name in TASKS if name.startswith("tabular-") and name != task_name)
        classes += [recipe_class_of(name) for name in others]
    return classes


def check_no_dataset(names: Collection[str]) -> None:
    """Raise an `InvalidInputError` where a data set is named beside a user's own data."""
    if "dataset" in names:
        raise InvalidInputError(
            "dataset is the recipe's data set, and data names others to train on: leave out dataset"
        )


def check_teacher_name(recipe: Recipe) -> None:
    """Check that there is a model of the name of a recipe's teacher.

    Raises:
        UnknownNameError: There is none.
        RunError: It is a run that did not end.
    """
    if recipe.teacher:
        look_up(recipe.teacher)


def override_known(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """Return the recipe with those of the changes whose fields it has."""
    known = type(recipe).__struct_fields__
    return recipe.override(**{name: value for name, value in overrides.items() if name in known})


def split_overrides(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the recipe fields, and those of the pretraining."""
    prefix = f"{PRETRAINING}."
    pretraining = {n.removeprefix(prefix): v for n, v in overrides.items() if n.startswith(prefix)}
    return {n: v for n, v in overrides.items() if not n.startswith(prefix)}, pretraining
