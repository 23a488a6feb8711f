"""The arguments of `compare`, checked before anything slow is imported."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fm.data.user.source import UserData, check_source
from keras_fm.errors import InvalidInputError
from keras_fm.evaluation.arguments import check_columns, check_slices, further_columns, slice_names
from keras_fm.formatting import format_names
from keras_fm.models import export_files
from keras_fm.models.lookup import find_export, look_up
from keras_fm.registry.recipe import recipe_class_of
from keras_fm.registry.tasks import task_module


def check_compare(
    a: Any,
    b: Any,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: str | None = None,
    slice_by: str | Sequence[str] | None = None,
) -> None:
    """Check the arguments of `compare` as far as they can be without the data and the models.

    Raises:
        KerasFmError: As `compare` raises it.
    """
    names = slice_names(slice_by)
    infos = [info_of(name) for name in (a, b) if isinstance(name, (str, os.PathLike))]
    check_columns(data, text, target)
    group = None
    if infos:
        info = infos[0]
        group = recipe_class_of(info["task"]).fine_tuning_group
        check_same_task(info, infos[-1], str(a), str(b))
        slices = task_module(info["task"], "codec").CODEC.slices
        further = further_columns(data, group)
        if slices is not None and further is not None:
            check_slices(info["model"], [*slices(info["inputs"]), *further], names)
    if data is not None:
        check_source(UserData(data, text=text, target=target), group)


def info_of(name: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Return what a name or path says of a model or an export: `ModelSpec.to_dict`.

    Raises:
        KerasFmError: There is no such model or run, or keras_fm did not write the export.
    """
    path = find_export(name)
    if path is None:
        return look_up(name).info
    version = export_files.find_version(path)
    info = export_files.read_info(version)
    if info is None:
        raise InvalidInputError(f"{version} is a SavedModel that keras_fm did not write")
    return info


def check_same_task(
    first: Mapping[str, Any], second: Mapping[str, Any], first_name: str, second_name: str
) -> None:
    """Check that two models predict the same, so that they can be compared.

    Args:
        first: What the first one is, as `ModelSpec.to_dict` returns it.
        second: What the second one is.
        first_name: What the error calls the first one.
        second_name: What it calls the second one.

    Raises:
        InvalidInputError: They don't, or their metrics are not those of single examples.
    """
    for info, name in ((first, first_name), (second, second_name)):
        if not info["task"].endswith(("classification", "regression")):
            raise InvalidInputError(
                f"expected classifiers or regressions to compare; received {name} ({info['task']}),"
                " whose metrics are not of single examples: evaluate each"
            )
    for fact, values_of in _FACTS.items():
        one_side, other_side = values_of(first), values_of(second)
        if one_side != other_side:
            raise InvalidInputError(
                f"expected models of the same {fact} to compare; received {first_name} "
                f"({_differing(one_side, other_side)}) and {second_name} "
                f"({_differing(other_side, one_side)})"
            )


def _differing(values: Sequence[str], others: Sequence[str]) -> str:
    """Return those of some values that are not among others, in words."""
    names = [value for value in values if value not in others]
    return format_names(names) if names else f"{len(values):,} of them"


_FACTS = {
    "task": lambda info: [info["task"]],
    "classes": lambda info: sorted(map(repr, info["labels"])),
    "target": lambda info: [repr(info["target"]["name"] if info["target"] else None)],
}
