"""Exports on the disk, as far as it takes to know them: a folder of versions for TF Serving.

Each version is a SavedModel in a folder whose name is a number, with `keras_fm.json` in it, which
says what was exported, and `training_sketch.json`, which `drift` compares requests with. Free of
TensorFlow.
"""

import json
import os
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.files import local_path
from keras_fm.models import run_files

SAVED_MODEL = "saved_model.pb"
INFO = "keras_fm.json"
SKETCH = "training_sketch.json"


def is_export(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a SavedModel, or a folder of versions of one."""
    try:
        folder = local_path(path)
    except InvalidInputError:  # what names no file here is none
        return False
    return _is_version(folder) or bool(versions(folder))


def export_path(name: Any) -> Path | None:
    """Return the path of the export that a user names; None of anything else, such as a run."""
    is_path = isinstance(name, (str, os.PathLike)) and is_export(name)
    return local_path(name) if is_path and not run_files.is_run(name) else None


def versions(base: Path) -> list[int]:
    """Return the numbers of the SavedModels in a folder, sorted."""
    numbered = [folder for folder in base.glob("*") if folder.name.isdecimal()]
    return sorted(int(folder.name) for folder in numbered if _is_version(folder))


def find_version(path: Path) -> Path:
    """Return the folder of a SavedModel: `path` itself, or the highest version in it.

    Raises:
        InvalidInputError: There is none.
    """
    if _is_version(path):
        return path
    numbers = versions(path)
    if not numbers:
        raise InvalidInputError(
            f"{path} holds no SavedModel and no version of one: export a model there first"
        )
    return path / str(numbers[-1])


def read_info(version: Path) -> dict[str, Any] | None:
    """Return what was exported; None of a SavedModel that another program wrote."""
    file = version / INFO
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def check_no_export(path: Path) -> None:
    """Refuse an export, or a file of one, where a Keras model is needed.

    Raises:
        UnknownNameError: It is one.
    """
    is_folder = is_export(path)
    if is_folder or path.suffix in (".pb", ".tflite", ".onnx"):
        hint = "; keras_fm.pipeline, keras_fm.compare and keras-fm predict take an export, too"
        raise UnknownNameError(
            f"{path} is an export, which TF Serving serves: expected a model's name, a run "
            f"directory or a {run_files.SUFFIX} file{hint if is_folder else ''}"
        )


def _is_version(folder: Path) -> bool:
    return (folder / SAVED_MODEL).is_file()
