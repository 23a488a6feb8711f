"""The arguments of `evaluate` and `verify`, checked before anything slow is imported."""

import os
from typing import Any

from keras_fm import registry
from keras_fm.data.user.source import UserData, check_source
from keras_fm.errors import InvalidInputError, RunError
from keras_fm.files import local_path
from keras_fm.models import run_files
from keras_fm.models.lookup import find_model, look_up, read_run_of_model
from keras_fm.registry.recipe import recipe_class_of


def check_evaluate(
    name_or_model: Any,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: str | None = None,
    slice_by: str | None = None,
) -> None:
    """Check the arguments of `evaluate` as far as they can be without the data and the model.

    Raises:
        KerasFmError: As `evaluate` raises it.
    """
    group = None
    if isinstance(name_or_model, (str, os.PathLike)):
        named = look_up(name_or_model)
        group = recipe_class_of(named.task_name).fine_tuning_group
    if data is not None:
        check_source(UserData(data, text=text, target=target), group)
    elif text is not None or target is not None:
        raise InvalidInputError(
            "text and target are columns of your own data: name it as well (data=, or --data)"
        )


def check_verify(name: str | os.PathLike[str]) -> None:
    """Check that `verify` can measure something of this name.

    Raises:
        UnknownNameError: There is no such model, or it has no such weights, or it is an export.
        RunError: It is no run that ended.
    """
    if not run_files.is_model_path(name):
        package, tag = find_model(str(name))
        package.entry.weights_of(tag)
        return
    path = local_path(name)
    if path.suffix == run_files.SUFFIX:
        raise RunError(f"{name} has no claims: verify the run that it is from, or evaluate it")
    registry.find(read_run_of_model(path)["model"])
