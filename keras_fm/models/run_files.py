"""Models on the disk: run directories and `.keras` files, as far as it takes to open them.

A run directory holds:

recipe.toml       the resolved recipe
run.json          model, labels, data, seed, environment; written first
pretraining/      the run directory of the pretraining, where there was one; head/ likewise, of the
                  first stage of a fine-tuning, and scratch/ of a training from scratch beside it
validation.npz    the examples that a training on a user's own data is evaluated on, for
                  `evaluate` and `verify`; those of a data set are loaded from it again
training_digests.npy   a digest of each training example, by which `evaluate` finds them again
logs/             TensorBoard event files
history.csv       loss and metrics of each epoch
checkpoints/      what an interrupted training resumes from; gone when it ends
model.weights.h5  the weights
calibration.json  what a calibrated classifier was calibrated by
result.json       metrics and minutes; written last, so a run that has it is complete
"""

import csv
import json
import os
import shlex
import weakref
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError, RunError
from keras_fm.file_errors import missing_file
from keras_fm.files import atomic_write, local_path

SUFFIX = ".keras"
RECIPE, RUN_INFO, RESULT = "recipe.toml", "run.json", "result.json"
RANDOM = "random"  # the initial weights of a training from scratch
WEIGHTS, VALIDATION, HISTORY = "model.weights.h5", "validation.npz", "history.csv"
DIGESTS = "training_digests.npy"

_RUNS_OF_MODELS: weakref.WeakKeyDictionary[Any, Path] = weakref.WeakKeyDictionary()


def is_run(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a run directory."""
    try:
        return (local_path(path) / RUN_INFO).is_file()
    except InvalidInputError:  # what names no file here is none
        return False


def is_complete(path: Path) -> bool:
    """Return whether the training in the run directory `path` ended."""
    return (path / RESULT).is_file()


def is_model_path(name: Any) -> bool:
    """Return whether it is the path of a run directory or a `.keras` file, not a model's name."""
    if not isinstance(name, (str, os.PathLike)):
        return False
    return isinstance(name, os.PathLike) or is_run(name) or name.endswith(SUFFIX)


def run_path(name: Any) -> Path | None:
    """Return the path of the run directory that a user names; None of anything else."""
    is_path = isinstance(name, (str, os.PathLike)) and is_run(name)
    return local_path(name) if is_path else None


def remember_run(model: Any, path: Path) -> None:
    """Note the run directory that a model in memory comes from."""
    _RUNS_OF_MODELS[model] = path


def remembered_run(name_or_model: Any) -> Path | None:
    """Return the run directory that a user names, or that a model in memory comes from."""
    if isinstance(name_or_model, (str, os.PathLike)):
        return run_path(name_or_model)
    path = _RUNS_OF_MODELS.get(name_or_model)
    return path if path is not None and is_run(path) else None


def run_name(path: Path) -> str:
    """Return the name of a run, such as `wine`, of a stage in it `wine/head`.

    It names no folder around the run: logs and exports are shown to others.
    """
    path = path.resolve()
    ancestors = [path, *path.parents]
    outermost = next((folder for folder in reversed(ancestors) if is_run(folder)), path)
    return path.relative_to(outermost.parent).as_posix()


def read_run(path: Path) -> dict[str, Any]:
    """Return what `run.json` says of a run.

    Raises:
        RunError: It is no run directory, or one of another version.
    """
    if not is_run(path):
        why = "it has no run.json" if path.exists() else missing_file(path, "folder")
        raise RunError(f"{path} is no run directory: {why}")
    run_info = json.loads((path / RUN_INFO).read_text("utf-8"))
    if "init_from" not in run_info:
        raise RunError(f"{path} was written by another version of keras_fm: train it again")
    return run_info


def read_complete_run(path: Path) -> dict[str, Any]:
    """Return the same of a run whose training ended.

    Raises:
        RunError: It did not end.
    """
    run_info = read_run(path)
    if not is_complete(path):
        raise RunError(resume_hint(path, run_info))
    return run_info


def resume_hint(path: Path, run_info: dict[str, Any]) -> str:
    """Say that a training did not end, and which command resumes it."""
    command = ["train", run_info["model"]]
    if run_info.get("strategy"):
        init_from = run_info["init_from"]
        command = ["fine-tune", run_info["model"] if init_from == "random" else init_from, "DATA"]
    elif run_info.get("split") == "sample":
        command += ["--data", "sample"]
    elif run_info.get("split") == "":
        command += ["--data", "DATA"]
    words = ["keras-fm", *command, "--run-dir", str(path), "--resume"]
    return f"the training in {path} did not end; resume it: {shlex.join(words)}"


def read_result(path: Path) -> dict[str, Any]:
    """Return metrics, baseline, minutes and comparisons of a complete run."""
    return json.loads((path / RESULT).read_text("utf-8"))


def read_history(path: Path) -> list[dict[str, float]]:
    """Return a dict an epoch from the file of `write_history`; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{name: float(value) for name, value in row.items()} for row in rows]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    with atomic_write(path) as stream:
        stream.write(json.dumps(value, indent=2) + "\n")
