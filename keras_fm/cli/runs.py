"""Runs: `runs`."""

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table
from keras_fm.errors import RunError
from keras_fm.file_errors import missing_file
from keras_fm.files import local_path
from keras_fm.formatting import format_value
from keras_fm.models import run_files
from keras_fm.registry.metrics import METRICS

_NUM_METRICS = 2  # that the table shows
_FIELDS = """fields of --json, a list with an object a run:
  path       the run directory
  model      the model's name
  data       what it was trained on
  metrics    on the validation examples; empty before the end
  minutes    of all sessions
  started    local time, ISO 8601
  finished   whether the training ended
  epochs     that were trained"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _runs,
        "list runs with their metrics, the newest first",
        "keras-fm runs",
        "keras-fm runs experiments --json",
        details=_FIELDS,
        needs_keras=False,
    )
    command.add_argument(
        "folder", nargs="?", default="runs", help="a folder of run directories (default: runs)"
    )
    command.add_argument("--json", action="store_true", help="all metrics of each run, as JSON")


def _runs(options: argparse.Namespace) -> int:
    folder = local_path(options.folder)
    runs = sorted(map(_read, _find(folder)), key=lambda run: run["started"], reverse=True)
    if options.json:
        print(json.dumps(runs, indent=2))
    elif not runs:
        print(f"no run in {folder}")
    else:
        header = ("run", "model", "data", "metrics", "minutes", "started", "")
        print_table([header, *map(_row, runs)])
    return 0


def _find(folder: Path) -> list[Path]:
    """Return the run directories in a folder, without those of their stages.

    Raises:
        RunError: There is no such folder.
    """
    if not folder.is_dir():
        expected = "expected a folder of runs, which train and fine-tune write"
        if folder.exists():
            raise RunError(f"{folder} is a file; {expected}")
        raise RunError(f"{expected}: {missing_file(folder, 'folder')}")
    if run_files.is_run(folder):
        return [folder]
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    return [run for subfolder in subfolders for run in _find(subfolder)]


def _read(path: Path) -> dict[str, Any]:
    try:
        run_info = json.loads((path / run_files.RUN_INFO).read_text("utf-8"))
        finished = run_files.is_complete(path)
        result = run_files.read_result(path) if finished else {}
        rows = [
            row
            for file in sorted(path.glob(f"**/{run_files.HISTORY}"))
            for row in run_files.read_history(file)
        ]
        seconds = sum(row["seconds"] for row in rows)
        own_epochs = len(run_files.read_history(path / run_files.HISTORY))
        started = (path / run_files.RUN_INFO).stat().st_mtime
        return {
            "path": str(path),
            "model": run_info["model"],
            "data": run_info["data"],
            "metrics": result.get("metrics", {}),
            "minutes": round(result.get("minutes", seconds / 60), 2),
            "started": datetime.datetime.fromtimestamp(started).isoformat(timespec="seconds"),
            "finished": finished,
            "epochs": own_epochs,
        }
    except (ValueError, LookupError, TypeError) as error:
        raise RunError(f"{path} can't be read as a run: {error!r}") from None


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    known = [(METRICS[name], value) for name, value in run["metrics"].items() if name in METRICS]
    shown = [f"{metric.title} {metric.format(value)}" for metric, value in known[:_NUM_METRICS]]
    if not shown:
        shown = [
            f"{name} {format_value(value, '.4f', 1e-3)}" for name, value in run["metrics"].items()
        ]
    return (
        run["path"],
        run["model"],
        run["data"] if len(run["data"]) <= 40 else f"{run['data'][:39]}…",
        ", ".join(shown[:_NUM_METRICS]),
        f"{run['minutes']:.1f}",
        run["started"].replace("T", " ")[:16],
        "" if run["finished"] else f"not finished, {run['epochs']} epochs",
    )
