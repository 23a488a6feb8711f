"""The arguments of `explain`, checked before anything slow is imported."""

import os
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError, suggest
from keras_fm.models.lookup import look_up

METHODS = ("auto", "occlusion", "grad_cam", "attention")


def check_explain(name_or_model: Any, *, method: str = "auto") -> None:
    """Check the arguments of `explain` as far as they can be without the model and the inputs.

    Raises:
        KerasFmError: As `explain` raises it.
    """
    if method not in METHODS:
        raise InvalidInputError(f"no method {method!r} to explain by. {suggest(method, METHODS)}")
    if isinstance(name_or_model, (str, os.PathLike)):
        look_up(name_or_model)


def check_figure(path: Path, *, is_image: bool) -> None:
    """Check where an explanation is drawn to.

    Args:
        path: The file.
        is_image: Whether images are explained.

    Raises:
        InvalidInputError: The file exists, or has another suffix.
    """
    suffix = ".png" if is_image else ".html"
    if path.suffix != suffix:
        raise InvalidInputError(f"this explanation is drawn to a {suffix} file; received {path}")
    if path.exists():
        raise InvalidInputError(f"{path} exists; name another file")
