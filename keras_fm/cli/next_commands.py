"""The commands that a finished training suggests, which work as they are printed."""

from pathlib import Path

from keras_fm.cli.printing import format_command
from keras_fm.models import run_files
from keras_fm.training import event_files


def after_training(path: Path) -> list[str]:
    """Return the commands to print after `train`."""
    commands = _tensorboard_command(path / "logs")
    if run_files.read_result(path)["metrics"] or run_files.read_run(path)["split"]:
        commands.append(format_command("keras-fm", "evaluate", path))
    return [*commands, _export_command(path)]


def after_fine_tuning(path: Path) -> list[str]:
    """Return the commands to print after `fine-tune`."""
    commands = [
        *_tensorboard_command(path),
        f"{format_command('keras-fm', 'predict', path)} ...",
    ]
    if run_files.read_result(path)["metrics"]:
        commands.append(format_command("keras-fm", "verify", path))
    return [*commands, _export_command(path)]


def _tensorboard_command(path: Path) -> list[str]:
    """Return the command that shows logs; none where they could not be written."""
    return [format_command("tensorboard", "--logdir", path)] if event_files.can_write() else []


def _export_command(path: Path) -> str:
    """Return the export into a folder of the run's own name, which a server calls it by."""
    return format_command("keras-fm", "export", path, Path("exports") / path.resolve().name)
