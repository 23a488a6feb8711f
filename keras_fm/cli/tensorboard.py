"""TensorBoard on runs, and on the curves that ship with weights: `tensorboard`."""

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keras_fm import registry
from keras_fm.cli import hparams_columns
from keras_fm.cli.common import add_command
from keras_fm.errors import InvalidInputError, KerasFmError, RunError
from keras_fm.file_errors import missing_file
from keras_fm.files import local_path
from keras_fm.models import run_files

LOGS = "logs"
DEFAULT_FOLDER = "runs"
_HIDDEN_FOLDERS = ("comparisons",)  # that a name leaves out


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _tensorboard,
        "open TensorBoard on runs, or on the curves that ship with a model's weights",
        "keras-fm tensorboard",
        "keras-fm tensorboard runs/mine runs/other",
        "keras-fm tensorboard cifar_cnn runs/mine --port 6007",
        details="docs/tensorboard.md says what is where. Ctrl-C ends it.",
        check=_check,
        needs_keras=False,
    )
    command.add_argument(
        "names",
        nargs="*",
        metavar="NAME|RUN",
        help="models, run directories, or folders of runs (default: runs)",
    )
    command.add_argument("--port", type=_port, default=6006, help="of the page (default: 6006)")
    command.add_argument("--host", default="localhost", help="of the page (default: localhost)")


def find_logs(names: list[str]) -> dict[str, Path]:
    """Return the folders of logs by short names, such as `mine`, and `mine-head` of a stage.

    Args:
        names: Of models; run directories, or folders of them.

    Raises:
        KerasFmError: A name is of neither, or has no logs.
    """
    logs: dict[str, Path] = {}
    for name in names:
        folder = local_path(name)
        named = _run_logs(folder) if folder.is_dir() else _shipped_logs(name)
        for label, path in named.items():
            if path not in logs.values():
                logs[_unused(label, logs)] = path
    return logs


def link_logs(logs: dict[str, Path], folder: Path) -> list[str]:
    """Link the logs by their names into a folder; return TensorBoard's arguments that show them."""
    try:
        for label, path in logs.items():
            (folder / label).symlink_to(path.resolve(), target_is_directory=True)
    except OSError:  # Windows wants a privilege for it
        specs = (f"{label}:{path.resolve()}" for label, path in logs.items())
        return ["--logdir_spec", ",".join(specs)]
    return ["--logdir", str(folder)]


def _check(options: argparse.Namespace) -> None:
    if find_spec("tensorboard") is None:
        raise KerasFmError("TensorBoard is not installed; install it: pip install tensorboard")
    options.logs = find_logs(options.names or [DEFAULT_FOLDER])


def _tensorboard(options: argparse.Namespace) -> int:
    print(f"runs: {', '.join(options.logs)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="keras-fm-tensorboard-") as folder:
        command = [sys.executable, "-m", "tensorboard.main", *link_logs(options.logs, Path(folder))]
        if "--logdir" in command and hparams_columns.write_columns(options.logs, Path(folder)):
            command += hparams_columns.ARGUMENTS
        command += ["--port", str(options.port), "--host", options.host]
        with subprocess.Popen(command) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the terminal interrupts TensorBoard too
                process.terminate()
                process.wait()
                return 0


def _run_logs(folder: Path) -> dict[str, Path]:
    """Return the logs of a run and of its stages, or of all runs in a folder."""
    runs = sorted(file.parent for file in folder.rglob(run_files.RUN_INFO))
    paths = sorted(path for path in folder.rglob(LOGS) if _has_events(path))
    if not paths:
        why = "its training has written none yet" if runs else "expected a run, or a folder of runs"
        raise RunError(f"{folder} has no TensorBoard logs: {why}")
    return {_label(path): path for path in paths}


def _label(logs: Path) -> str:
    parts = run_files.run_name(_run_of(logs)).split("/")
    inside = logs.parent.resolve().relative_to(_run_of(logs).resolve()).parts
    return "-".join(part for part in (*parts, *inside) if part not in _HIDDEN_FOLDERS)


def _run_of(logs: Path) -> Path:
    """Return the run that has the logs; the folder around them where none does."""
    folders = logs.resolve().parents
    return next((folder for folder in folders if run_files.is_run(folder)), folders[0])


def _shipped_logs(name: str) -> dict[str, Path]:
    """Return the logs that ship with the weights of a model, such as `cifar_cnn.v1`.

    Raises:
        KerasFmError: There is no such model, or no logs ship with it.
    """
    if name == DEFAULT_FOLDER or "/" in name:
        expected = "expected a model's name, a run directory, or a folder of runs"
        raise RunError(f"{expected}: {missing_file(local_path(name), 'folder')}")
    package, tag = registry.find(name)
    folder = package.path / "weights"
    pattern = f"{package.name}.{tag}.{LOGS}" if tag else f"{package.name}.*.{LOGS}"
    logs = {path.name.removesuffix(f".{LOGS}"): path for path in sorted(folder.glob(pattern))}
    if not logs:
        raise InvalidInputError(
            f"{name} has no TensorBoard logs: expected a model whose weights ship with their "
            f"curves, or a run directory; received {name!r}"
        )
    return logs


def _has_events(path: Path) -> bool:
    return path.is_dir() and any(path.rglob("events.out.tfevents.*"))


def _unused(label: str, logs: dict[str, Path]) -> str:
    count = 2
    name = label
    while name in logs:
        name, count = f"{label}-{count}", count + 1
    return name


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) < 65536:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535; received {text!r}")
    return int(text)
