"""A run directory: everything that one training was and became.

recipe.toml       the resolved recipe
run.json          model, labels, data, seed, environment; written first
pretraining/      the run directory of what it learned first, where it did; head/ likewise, of a
                  fine-tuning, and scratch/ of the training from random weights beside it
validation.npz    the examples that a fine-tuning is measured on: `verify` measures it again
logs/             TensorBoard event files
history.csv       loss and metrics of each epoch
checkpoints/      what an interrupted training goes on from; gone when it ends
model.weights.h5  the weights
result.json       metrics and minutes; written last, so a run that has it is complete
"""

import csv
import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import keras

from keras_fm.backend import gpus
from keras_fm.errors import RunError
from keras_fm.models import loading, precision
from keras_fm.models.run_files import is_complete as is_complete
from keras_fm.models.run_files import is_run as is_run
from keras_fm.models.run_files import read_run as read_run
from keras_fm.models.run_files import write_json
from keras_fm.models.spec import ModelSpec
from keras_fm.training.jobs import TrainingJob

BASELINE = "without a look at the inputs"
VALIDATION = "validation.npz"
FROM_SCRATCH = (
    "anew"  # what a fine-tuning did with a table of other columns, in place of a strategy
)


@dataclass(frozen=True)
class Run:
    """A finished training. `path` is its directory; `metrics` are of the validation cut.

    baseline: what an answer has on it that never looks at the inputs.
    compared: what other ways have on it, by what they are.
    """

    path: Path
    model: keras.Model
    metrics: dict[str, float]
    baseline: dict[str, float]
    minutes: float
    compared: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def history(self) -> dict[str, list[float]]:
        """Each figure's values, one an epoch."""
        rows = read_history(self.path / "history.csv")
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def report(self) -> str:
        """The run in some lines of text."""
        about = read_run(self.path)
        strategy = about.get("strategy")
        way = {None: "trained", FROM_SCRATCH: "trained anew"}.get(
            strategy, f"fine-tuned ({strategy})"
        )
        lines = [
            f"{about['model']}, {way} on {about['data']}, seed {about['seed']}",
            *about["notes"],
            "" if about["start"] == "random" else f"started from {about['start']}",
            *self._figures(way),
            f"{self.minutes:.1f} minutes, {about['environment']['precision']}, "
            f"{about['environment']['hardware']}",
            str(self.path),
        ]
        return "\n".join(filter(None, lines))

    def _figures(self, way: str) -> list[str]:
        """The metrics, and under each other those of what it is compared with."""
        if not self.compared:
            without = f"{BASELINE}: {_in_words(self.baseline)}"
            return [_in_words(self.metrics), without if self.baseline else ""]
        others = {**self.compared, BASELINE: self.baseline}
        names = [name for name in self.metrics if all(name in each for each in others.values())]
        rows = [(way, self.metrics), *others.items()]
        width = max(len(title) for title, _ in rows)
        head = " " * width + "".join(f"  {name:>{max(8, len(name))}}" for name in names)
        lines = [
            f"{title:{width}}"
            + "".join(f"  {figures[name]:{max(8, len(name))}.4f}" for name in names)
            for title, figures in rows
        ]
        return [head, *lines]


def new_directory(run_dir: str | os.PathLike[str] | None, name: str, seed: int) -> Path:
    """Creates the directory of a new run; one that exists is never written into.

    Args:
        run_dir: None for `runs/<name>-<time>-seed<seed>` in the current folder.
    """
    now = datetime.datetime.now()
    path = Path(run_dir or Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}-seed{seed}")
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise RunError(
            f"{path} exists; name another run directory, or go on with the run in it: resume=True "
            "(--resume on the command line)"
        ) from None
    except OSError as error:
        raise RunError(f"the run directory {path} can't be made: {error.strerror}") from None
    return path


def write_run_info(path: Path, lesson: TrainingJob, start: str = "random", **more: str) -> None:
    """Writes what the run is, before it starts; `start` as `train` takes it."""
    (path / "recipe.toml").write_text(lesson.recipe.to_toml(), "utf-8")
    about = {
        **lesson.identity.write(),
        "data": lesson.examples.description,
        "notes": list(lesson.notes),
        "start": start,
        "seed": lesson.seed,
        **more,
        "environment": environment(precision.resolve_precision(lesson.recipe.precision)),
    }
    write_json(path / "run.json", about)


def write_result(
    path: Path,
    model: keras.Model,
    *,
    metrics: dict[str, float],
    baseline: dict[str, float],
    compared: dict[str, dict[str, float]],
) -> Run:
    """Writes the result, last of all; its minutes are all sittings' and those of runs inside it."""
    rows = [row for file in path.glob("**/history.csv") for row in read_history(file)]
    minutes = sum(row["seconds"] for row in rows) / 60
    result: dict[str, Any] = {"metrics": metrics, "baseline": baseline, "minutes": minutes}
    if compared:
        result["compared"] = compared
    write_json(path / "result.json", result)
    return Run(path, model, **result)


def check_data(path: Path, identity: ModelSpec, origin: str) -> None:
    """Refuses to go on with a run on other data than it began with."""
    begun = read_run(path)
    if origin != begun["data"]:
        raise RunError(f"the run in {path} began on {begun['data']}; it can't go on with {origin}")
    if identity != ModelSpec.read(identity.entry, begun):
        raise RunError(
            f"the run in {path} began with other columns or classes than {origin} has now; "
            "it can't go on with them: start anew"
        )


def load_run(path: str | os.PathLike[str]) -> Run:
    """Loads a finished run with its model.

    Raises:
        RunError: `path` is no run directory, or its training did not end.
    """
    path = Path(path)
    model = loading.load_run(path)
    result = json.loads((path / "result.json").read_text("utf-8"))
    return Run(path, model, **result)


def environment(precision: str) -> dict[str, str]:
    """What the training ran on: versions, backend, precision, hardware."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {_backend_version()}",
        "precision": precision,
        "hardware": ", ".join(gpu.name for gpu in gpus()) or _processors(),
    }


def read_history(path: Path) -> list[dict[str, float]]:
    """One dict an epoch, from the file that `write_history` wrote; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{name: float(value) for name, value in row.items()} for row in rows]


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes one row an epoch as CSV, the file whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(path)


def _in_words(metrics: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _backend_version() -> str:
    name = keras.backend.backend()
    for package in [name, f"{name}-cpu"]:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _processors() -> str:
    usable = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if usable else os.cpu_count()
    return f"{_processor()}, {count} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
