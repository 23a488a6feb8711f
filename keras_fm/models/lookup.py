"""What a name or a path says of a model before it is opened; without Keras, so it starts fast."""

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from keras_fm import registry
from keras_fm.errors import UnknownNameError, WeightsError
from keras_fm.file_errors import missing_file, reason_of
from keras_fm.files import local_path
from keras_fm.models import export_files, run_files
from keras_fm.registry import ModelPackage

_MAX_CONFIG_BYTES = 1_000_000  # as `keras_file` checks it


@dataclass(frozen=True)
class NamedModel:
    """A model that a name or a path stands for.

    Attributes:
        package: The folder that builds it.
        info: Its name, task, labels, inputs and target, as `ModelSpec.to_dict` returns them.
    """

    package: ModelPackage
    info: Mapping[str, Any]

    @classmethod
    def of(cls, package: ModelPackage) -> "NamedModel":
        """Return the zoo's own model."""
        entry = package.entry
        info = {
            "model": package.name,
            "task": entry.task,
            "labels": list(entry.labels),
            "inputs": msgspec.to_builtins(entry.inputs),
            "target": msgspec.to_builtins(entry.target),
        }
        return cls(package, info)

    @property
    def name(self) -> str:
        """The name of the model in the zoo."""
        return self.package.name

    @property
    def task_name(self) -> str:
        """The ID of its task."""
        return self.info["task"]

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names of a classifier, or of what a generator makes."""
        return tuple(self.info["labels"])


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
        info = _read_keras_config(path) if is_file else read_run_of_model(path)
        package, _ = registry.find(info["model"])
        return NamedModel(package, info)
    package, tag = find_model(str(name))
    named, entry = NamedModel.of(package), package.entry
    if entry.weights_of(tag).task is None:
        return named
    info = {**named.info, "task": str(entry.pretraining), "labels": [], "target": None}
    return NamedModel(package, info)


def find_export(name: Any) -> Path | None:
    """Return the path of the export that a user names; None of anything else.

    A model's name means the model where both are there.
    """
    path = export_files.export_path(name)
    if path is None or not isinstance(name, str):
        return path
    try:
        registry.find(name)
    except UnknownNameError:
        return path
    return None


def read_run_of_model(path: Path) -> dict[str, Any]:
    """Return what `run.json` says of a run whose model can be opened.

    Raises:
        RunError: It is no run directory, or its training did not end.
        UnknownNameError: It is an export.
    """
    if not run_files.is_run(path):
        export_files.check_no_export(path)
    return run_files.read_complete_run(path)


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
    export_files.check_no_export(path)
    if path.exists():
        raise UnknownNameError(
            f"{name} is no run directory (it has no {run_files.RUN_INFO}) and no "
            f"{run_files.SUFFIX} file"
        )


def _read_keras_config(path: Path) -> dict[str, Any]:
    """Return what a `.keras` file says of the model's specification."""
    if not path.exists():
        raise WeightsError(missing_file(path))
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as stream:
            config = json.loads(stream.read(_MAX_CONFIG_BYTES))["config"]["keras_fm"]
        return {name: config[name] for name in ("model", "task", "labels", "inputs", "target")}
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} can't be opened as a Keras model: {reason_of(error)}") from None
