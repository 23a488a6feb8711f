"""What lies on the disk as a model: run directories, and `.keras` files."""

import json
import os
from pathlib import Path
from typing import Any

from keras_fm.errors import RunError

SUFFIX = ".keras"


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a run directory."""
    return (Path(path) / "run.json").is_file()


def is_complete(path: Path) -> bool:
    """Whether the training in the run directory `path` ended."""
    return (path / "result.json").is_file()


def is_model_path(name: Any) -> bool:
    """Whether it is the path of a run directory or of a `.keras` file, and no model's name."""
    if not isinstance(name, (str, os.PathLike)):
        return False
    return isinstance(name, os.PathLike) or is_run(name) or name.endswith(SUFFIX)


def read_run(path: Path) -> dict[str, Any]:
    """What `run.json` says of the run."""
    if not is_run(path):
        why = "it has no run.json" if path.exists() else "it is not there"
        raise RunError(f"{path} is no run directory: {why}")
    return json.loads((path / "run.json").read_text("utf-8"))


def read_complete_run(path: Path) -> dict[str, Any]:
    """The same of a run whose training ended.

    Raises:
        RunError: it did not.
    """
    about = read_run(path)
    if not is_complete(path):
        command = f"train {about['model']}"
        if about.get("strategy"):
            start = about["model"] if about["start"] == "random" else about["start"]
            command = f"fine-tune {start} DATA"
        raise RunError(
            f"the training in {path} did not end; go on with it: keras-fm {command} "
            f"--run-dir {path} --resume"
        )
    return about


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    draft.replace(path)
