"""What a name or a path says of a model before it is opened; without Keras, so it starts fast."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_fm import registry
from keras_fm.errors import UnknownNameError, WeightsError
from keras_fm.files import local_path
from keras_fm.models import run_files
from keras_fm.registry import ModelPackage

_SAVED_MODEL = "saved_model.pb"
_MAX_CONFIG_BYTES = 1_000_000  # as `keras_file` checks it


@dataclass(frozen=True)
class NamedModel:
    """A model that a name or a path stands for.

    Attributes:
        package: The folder that builds it.
        task_name: The ID of its task.
        labels: The class names of a classifier, or of what a generator makes.
    """

    package: ModelPackage
    task_name: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the model in the zoo."""
        return self.package.name


def look_up(name: str | os.PathLike[str]) -> NamedModel:
    """Return which model `get` would open, with weights.

    Args:
        name: `"model"` or `"model.tag"`, or the path of a run directory or of a `.keras` file.

    Raises:
        UnknownNameError: There is no such model, or it has no such weights.
        RunError: There is no such run, or its training did not end.
        WeightsError: The `.keras` file can't be read.
    """
    if run_files.is_model_path(name):
        path = local_path(name)
        is_file = path.suffix == run_files.SUFFIX
        config = _read_keras_config(path) if is_file else run_files.read_complete_run(path)
        package, _ = registry.find(config["model"])
        return NamedModel(package, config["task"], tuple(config["labels"]))
    package, tag = find_model(str(name))
    entry = package.entry
    if entry.weights_of(tag).task is not None:
        return NamedModel(package, str(entry.pretraining))
    return NamedModel(package, entry.task, tuple(entry.labels))


def find_model(name: str) -> tuple[ModelPackage, str | None]:
    """Return a model's package and its tag, as `registry.find` does.

    Raises:
        UnknownNameError: There is no such model; the message says what a file of the name is.
    """
    try:
        return registry.find(name)
    except UnknownNameError:
        _check_no_file(name, local_path(name))
        raise


def _check_no_file(name: str, path: Path) -> None:
    if path.suffix in (".h5", ".hdf5"):
        raise UnknownNameError(
            f"{name} is an HDF5 file, which holds weights without their model: expected a model's "
            f"name, a run directory or a {run_files.SUFFIX} file; weights={name!r} loads weights"
        )
    if path.suffix in (".pb", ".tflite", ".onnx") or _is_export(path):
        raise UnknownNameError(
            f"{name} is an export, which TF Serving serves: expected a model's name, a run "
            f"directory or a {run_files.SUFFIX} file"
        )
    if path.exists():
        raise UnknownNameError(
            f"{name} is no run directory (it has no {run_files.RUN_INFO}) and no "
            f"{run_files.SUFFIX} file"
        )


def _is_export(path: Path) -> bool:
    return (path / _SAVED_MODEL).exists() or any(path.glob(f"*/{_SAVED_MODEL}"))


def _read_keras_config(path: Path) -> dict[str, Any]:
    """Return what a `.keras` file says of the model's specification."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as stream:
            return json.loads(stream.read(_MAX_CONFIG_BYTES))["config"]["keras_fm"]
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} can't be opened as a Keras model: {error}") from None
