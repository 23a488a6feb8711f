"""Runs: the directory that a training leaves behind. `models.run_files` says what is in it."""

import csv
import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import keras

from keras_fm.backend import gpus, num_cores
from keras_fm.errors import RunError
from keras_fm.evaluation.class_report import format_class_report
from keras_fm.files import atomic_write, local_path
from keras_fm.formatting import format_table, format_value
from keras_fm.models import loading
from keras_fm.models.precision import resolve_precision
from keras_fm.models.run_files import (
    HISTORY,
    RANDOM,
    RECIPE,
    RESULT,
    RUN_INFO,
    read_history,
    read_result,
    read_run,
    remember_run,
    write_json,
)
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.training import run_view
from keras_fm.training.calibration import describe_calibration
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.table_comparisons import describe_comparisons
from keras_fm.training.train_arguments import check_new_directory

MAX_COLUMNS = 10  # whose importance a report names
FROM_SCRATCH = "from_scratch"  # the strategy where a table has other columns than the model knows


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        path: Its directory.
        model: The trained model, in float32.
        metrics: On the validation examples.
        baseline: The metrics of the best constant prediction on them.
        minutes: Of all sessions.
        comparisons: The metrics of other methods on them, by name.
        ending: Why the training ended, and of which epoch the weights are.
        loss_note: What is different between `val_loss` of the epochs and the metrics.
        num_validation: The number of validation examples.
        per_class: Of a classifier `precision`, `recall`, `f1` and `support` of each class on them.
        cross_validated: Whether they are the training examples, each with the output of the member
            of the ensemble that did not learn from it.
        importance: Of a user's own table how much worse the first metric gets on them where a
            column is shuffled, by column.
        steps_per_epoch: Of the training.
        calibration: Of a calibrated classifier: the values of `keras_fm.calibration`, and the
            `metrics` before and after on the examples that fitted the thresholds.
    """

    path: Path
    model: keras.Model
    metrics: dict[str, float]
    baseline: dict[str, float]
    minutes: float
    comparisons: dict[str, dict[str, float]] = field(default_factory=dict)
    ending: str = ""
    loss_note: str = ""
    num_validation: int = 0
    per_class: dict[str, dict[str, float]] = field(default_factory=dict)
    cross_validated: bool = False
    importance: dict[str, float] = field(default_factory=dict)
    steps_per_epoch: int = 0
    calibration: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let an export of the model know what validated it."""
        if self.model is not None:
            remember_run(self.model, self.path)

    def __repr__(self) -> str:
        """Return what was trained, where it lies, and its metrics; `report()` says more."""
        return run_view.to_text(self)

    def _repr_html_(self) -> str:
        """Return a table of the metrics."""
        return run_view.to_html(self)

    @property
    def history(self) -> dict[str, list[float]]:
        """The values of each metric, one an epoch."""
        rows = read_history(self.path / HISTORY)
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def report(self) -> str:
        """Return the run in some lines of text."""
        run_info = read_run(self.path)
        strategy = run_info.get("strategy")
        method = {None: "trained", FROM_SCRATCH: "trained from scratch"}.get(
            strategy, f"fine-tuned ({strategy})"
        )
        init_from = run_info["init_from"]
        lines = [
            f"{run_info['model']}, {method} on {run_info['data']}, seed {run_info['seed']}",
            *run_info["notes"],
            "" if init_from == RANDOM else f"initialized from {init_from}",
            f"distilled from {run_info['teacher']}" if run_info.get("teacher") else "",
            self._describe_validation(run_info.get("folds", 0)),
            *self._metric_lines(method),
            describe_comparisons(self.metrics, self.comparisons),
            self._describe_importance(),
            format_class_report(self.per_class) if self.per_class else "",
            describe_calibration(self.calibration, cross_validated=self.cross_validated),
            self.ending,
            self.loss_note,
            f"{self.minutes:.1f} minutes, {run_info['environment']['precision']}, "
            f"{run_info['environment']['hardware']}",
            str(self.path),
        ]
        return "\n".join(filter(None, lines))

    def _describe_validation(self, folds: int) -> str:
        if self.cross_validated:
            return (
                f"on all {self.num_validation:,} examples, each by the member of the ensemble that "
                f"did not learn from it ({folds} folds):"
            )
        return f"on {self.num_validation:,} validation examples:" if self.num_validation else ""

    def _describe_importance(self) -> str:
        if not self.importance:
            return ""
        shown = [*self.importance.items()][:MAX_COLUMNS]
        columns = ", ".join(f"{name} {value:.3g}" for name, value in shown)
        rest = len(self.importance) - len(shown)
        metric = next(iter(self.metrics))
        return (
            f"permutation importance, how much worse {metric} gets where a column is shuffled: "
            f"{columns}" + f"; {rest} more say less" * bool(rest)
        )

    def _metric_lines(self, method: str) -> list[str]:
        """Return a table of the metrics and of those of what the run is compared with."""
        baseline_name = f"{task_of(self.model).objective.baseline_name} baseline"
        if not self.comparisons:
            line = f"{baseline_name}: {_format(self.baseline)}" if self.baseline else ""
            return [_format(self.metrics), line]
        methods = {method: self.metrics, **self.comparisons, baseline_name: self.baseline}
        names = [n for n in self.metrics if all(n in metrics for metrics in methods.values())]
        rows = [("", *names)]
        rows += [
            (title, *(f"{metrics[name]:8.4f}" for name in names))
            for title, metrics in methods.items()
        ]
        return [format_table(rows, str.rjust)]


def new_directory(run_dir: str | os.PathLike[str] | None, name: str, seed: int) -> Path:
    """Create the directory of a new run; one that holds anything is never written into.

    Args:
        run_dir: None for `runs/<name>-<time>-seed<seed>` in the current folder.
        name: The beginning of that name.
        seed: The end of it.

    Raises:
        RunError: It exists and is not empty, or can't be made.
    """
    now = datetime.datetime.now()
    path = local_path(run_dir or Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}-seed{seed}")
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        check_new_directory(path)  # an empty one will do, such as a volume of a container
    except OSError as error:
        raise RunError(f"the run directory {path} can't be made: {error.strerror}") from None
    return path


def write_run_info(path: Path, job: TrainingJob, init_from: str = RANDOM, **more: str) -> None:
    """Write what a run is, before it starts.

    Args:
        path: Its directory.
        job: The training.
        init_from: As `train` takes it.
        **more: Other fields of `run.json`.
    """
    (path / RECIPE).write_text(job.recipe.to_toml(), "utf-8")
    run_info = {
        **job.spec.to_dict(),
        "data": job.examples.description,
        "data_sha256": job.examples.sha256(),
        "split": job.split,
        "notes": list(job.notes),
        "init_from": init_from,
        "teacher": job.recipe.teacher,
        "seed": job.seed,
        **more,
        **({} if job.coverage is None else {"coverage": job.coverage}),
        **({} if job.validation is None else {"validation_sha256": job.validation.sha256()}),
        "environment": environment(resolve_precision(job.recipe.precision)),
    }
    write_json(path / RUN_INFO, run_info)


def write_result(
    path: Path,
    model: keras.Model,
    *,
    metrics: dict[str, float],
    baseline: dict[str, float],
    comparisons: dict[str, dict[str, float]],
    **details: Any,
) -> Run:
    """Write the result, last of all; its minutes are those of all sessions and runs inside it.

    Args:
        path: The run directory.
        model: The trained model.
        metrics: See `Run`.
        baseline: See `Run`.
        comparisons: See `Run`.
        **details: Other attributes of `Run`.
    """
    rows = [row for file in path.glob(f"**/{HISTORY}") for row in read_history(file)]
    minutes = sum(row["seconds"] for row in rows) / 60
    result: dict[str, Any] = {"metrics": metrics, "baseline": baseline, "minutes": minutes}
    result |= {name: value for name, value in details.items() if value}
    if comparisons:
        result["comparisons"] = comparisons
    write_json(path / RESULT, result)
    return Run(path, model, **result)


def check_data(path: Path, job: TrainingJob) -> None:
    """Check that an interrupted run resumes with the data that it began with.

    Raises:
        RunError: It does not.
    """
    run_info, description = read_run(path), job.examples.description
    is_same = job.examples.sha256() == run_info.get("data_sha256")
    if not is_same and description != run_info["data"]:
        raise RunError(
            f"the run in {path} began on {run_info['data']}; it can't resume with {description}"
        )
    if job.spec != ModelSpec.from_dict(job.spec.package, run_info):
        raise RunError(
            f"the run in {path} began with other columns or classes than {description} has now; "
            "it can't resume with them: start a new run"
        )
    if not is_same:
        raise RunError(
            f"the run in {path} began with other rows than {description} has now; it can't resume "
            "with them: start a new run"
        )
    if job.validation is None or "validation_sha256" not in run_info:
        return
    if job.validation.sha256() != run_info["validation_sha256"]:
        raise RunError(
            f"the run in {path} validates on other rows than {job.validation.description} has now; "
            "it can't resume with them: start a new run"
        )


def load_run(path: str | os.PathLike[str]) -> Run:
    """Load a finished run with its model.

    Raises:
        RunError: `path` is no run directory, or its training did not end.
    """
    path = local_path(path)
    model = loading.load_run(path)
    return Run(path, model, **read_result(path))


def environment(precision: str) -> dict[str, str]:
    """Return what a training runs on: versions, backend, precision, hardware."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {_backend_version()}",
        "precision": precision,
        "hardware": ", ".join(gpu.name for gpu in gpus()) or _processors(),
    }


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a row per epoch as CSV, atomically."""
    with atomic_write(path) as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _format(metrics: dict[str, float]) -> str:
    return "  ".join(
        f"{name} {format_value(value, '.4f', 1e-3)}" for name, value in metrics.items()
    )


def _backend_version() -> str:
    name = keras.backend.backend()
    for package in [name, f"{name}-cpu"]:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _processors() -> str:
    return f"{_processor()}, {num_cores()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
