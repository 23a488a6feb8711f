"""The arguments of `evaluate` and `verify`, checked before anything slow is imported."""

import os
from collections.abc import Sequence
from typing import Any

from keras_fm import registry
from keras_fm.calibration.arguments import check_classifier
from keras_fm.data.user.source import UserData, check_source
from keras_fm.errors import InvalidInputError, RunError, UnknownNameError, suggest
from keras_fm.evaluation.corruptions.names import check_corruption
from keras_fm.files import local_path
from keras_fm.models import run_files
from keras_fm.models.lookup import find_model, look_up, read_run_of_model
from keras_fm.preprocessing.tables.headers import column_names
from keras_fm.registry.recipe import recipe_class_of
from keras_fm.registry.tasks import is_classification, task_module
from keras_fm.serving.thresholds import check_threshold_choice


def check_evaluate(
    name_or_model: Any,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: str | None = None,
    slice_by: str | Sequence[str] | None = None,
    corruption: str | None = None,
    severity: int | None = None,
    calibration: bool = False,
    out_of_distribution: Any = None,
    threshold: Any = None,
) -> None:
    """Check the arguments of `evaluate` as far as they can be without the data and the model.

    Raises:
        KerasFmError: As `evaluate` raises it.
    """
    group = None
    names = slice_names(slice_by)
    if isinstance(name_or_model, (str, os.PathLike)):
        named = look_up(name_or_model)
        group = recipe_class_of(named.task_name).fine_tuning_group
        if calibration or out_of_distribution is not None:
            check_classifier(named.name, named.task_name, "calibration")
        check_corruption(named.name, corrupted_group(named.task_name), corruption, severity)
        check_threshold_choice(
            named.name,
            threshold,
            is_classifier=is_classification(named.task_name),
            class_names=named.labels,
        )
        slices = task_module(named.task_name, "codec").CODEC.slices
        further = further_columns(data, group)
        if slices is not None and further is not None:
            check_slices(named.name, [*slices(named.info["inputs"]), *further], names)
    check_columns(data, text, target)
    if data is not None:
        check_source(UserData(data, text=text, target=target), group)


def corrupted_group(task_name: str) -> str | None:
    """Return the group of the data of classifiers, which alone are corrupted."""
    if not is_classification(task_name):
        return None
    return recipe_class_of(task_name).fine_tuning_group


def check_columns(data: Any, text: str | None, target: str | None) -> None:
    """Raise an `InvalidInputError` where columns are named of no data."""
    if data is None and (text is not None or target is not None):
        raise InvalidInputError(
            "text and target are columns of your own data: name it as well (data=, or --data)"
        )


def slice_names(slice_by: Any) -> tuple[str, ...]:
    """Return what a user slices metrics by, as names.

    Raises:
        InvalidInputError: It is neither a name nor several.
    """
    if slice_by is None:
        return ()
    names = [slice_by] if isinstance(slice_by, str) else slice_by
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise InvalidInputError(f"slice_by is a name or a list of names; received {slice_by!r:.60}")
    return tuple(dict.fromkeys(names))


def check_slices(name: str, known: Sequence[str], slice_by: Sequence[str]) -> None:
    """Check that the metrics of a model can be sliced so.

    Args:
        name: The name of the model.
        known: What they can be sliced by.
        slice_by: The names that a user passed.

    Raises:
        UnknownNameError: They can't.
    """
    known = [*dict.fromkeys(known)]
    for slice_name in slice_by:
        if slice_name not in known:
            hint = suggest(slice_name, known) if known else f"Metrics of {name} are not sliced."
            raise UnknownNameError(f"no slices by {slice_name!r}. {hint}")


def further_columns(data: Any, group: str | None) -> list[str] | None:
    """Return the columns of a user's CSV file; none where there are none; None: not known yet."""
    if data is None or group not in ("texts", "tables"):
        return []
    path = UserData(data).path if isinstance(data, (str, os.PathLike)) else None
    return column_names(path) if path is not None and path.is_file() else None


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
