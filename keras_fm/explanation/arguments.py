"""The arguments of `explain`, checked before anything slow is imported."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_fm.data.user.source import UserData, check_source
from keras_fm.errors import InvalidInputError, suggest
from keras_fm.models.lookup import look_up
from keras_fm.registry.tasks import task_module

METHODS = (
    "auto", "occlusion", "grad_cam", "attention", "integrated_gradients", "shap",
    "permutation_importance",
)  # fmt: skip
IMPORTANCE = "permutation_importance"  # of a data set, where the others explain single inputs


def check_explain(
    name_or_model: Any, *, has_inputs: bool = True, method: str = "auto", data: Any = None
) -> None:
    """Check the arguments of `explain` as far as they can be without the model and the inputs.

    Args:
        name_or_model: As `explain` takes it.
        has_inputs: Whether there are inputs to explain.
        method: As `explain` takes it.
        data: As `explain` takes it.

    Raises:
        KerasFmError: As `explain` raises it.
    """
    if method not in METHODS:
        raise InvalidInputError(f"no method {method!r} to explain by. {suggest(method, METHODS)}")
    if isinstance(name_or_model, (str, os.PathLike)):
        named = look_up(name_or_model)
        methods = task_module(named.task_name, "codec").CODEC.explain_methods
        if methods is not None:
            entry = named.package.entry
            resolve_method(named.name, methods, method, has_attention=entry.has_attention)
    _check_inputs_and_data(has_inputs=has_inputs, method=method, data=data)
    if method == "shap":
        check_shap_is_installed()


def _check_inputs_and_data(*, has_inputs: bool, method: str, data: Any) -> None:
    """Raise an `InvalidInputError` where a method has no use for the inputs or the data."""
    if method == IMPORTANCE:
        if has_inputs:
            raise InvalidInputError(
                "permutation_importance is that of columns over a data set: pass data=ROWS (--data "
                "FILE), with their targets, or nothing for what the model is evaluated on; "
                "received inputs to explain"
            )
        if data is not None:
            check_source(UserData(data), "tables")
        return
    if not has_inputs:
        raise InvalidInputError(
            f"expected inputs to explain; received none. method={IMPORTANCE!r} alone explains a "
            "data set"
        )
    if data is not None and method != "shap":
        raise InvalidInputError(
            "data is the data set of permutation_importance, or the background rows of shap; "
            f"received data with method={method!r}"
        )


def check_shap_is_installed() -> None:
    """Raise an `InvalidInputError` where the package is not there."""
    if importlib.util.find_spec("shap") is None:
        raise InvalidInputError(
            "method='shap' needs the package shap: pip install 'keras_fm[shap]'; or take "
            "method='integrated_gradients'"
        )


def resolve_method(
    name: str, methods: Sequence[str], method: str, *, has_attention: bool | None = None
) -> str:
    """Return the method that explains a model's predictions.

    Args:
        name: The name of the model.
        methods: Those that models of its task have, the default one first.
        method: As `explain` takes it.
        has_attention: Whether the model has attention; None where only its layers tell.

    Raises:
        InvalidInputError: It has none, or not this one.
    """
    if not methods:
        raise InvalidInputError(
            f"{name} has no predictions that its inputs could explain: explain is for classifiers "
            "and regressions"
        )
    if method not in ("auto", *methods):
        raise InvalidInputError(
            f"{name} has no method {method!r} to explain by. {suggest(method, ['auto', *methods])}"
        )
    if method == "attention" and has_attention is False:
        raise InvalidInputError(
            f"{name} has no attention: take method='integrated_gradients' or 'occlusion'"
        )
    return methods[0] if method == "auto" else method


def check_figure(path: Path, *, is_image: bool) -> None:
    """Check where an explanation is written to.

    Args:
        path: The file.
        is_image: Whether images are explained.

    Raises:
        InvalidInputError: The file exists, or has another suffix.
    """
    suffixes = (".html", ".png") if is_image else (".html",)
    if path.suffix not in (*suffixes, ".json"):
        raise InvalidInputError(
            "this explanation is written to a .json file, or drawn to a "
            f"{' or '.join(suffixes)} file; received {path}"
        )
    if path.exists():
        raise InvalidInputError(f"{path} exists; name another file")
