"""What the modules of commands share."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_fm import registry
from keras_fm.cli.parsing import recipe_fields

Run = Callable[[argparse.Namespace], int]
Check = Callable[[argparse.Namespace], None]
NeedsKeras = bool | Callable[[argparse.Namespace], bool]


def add_command(
    commands: Any,
    run: Run,
    summary: str,
    *examples: str,
    details: str = "",
    check: Check | None = None,
    needs_keras: NeedsKeras = True,
    trains: bool = False,
) -> argparse.ArgumentParser:
    """Add the command that `run` is named after.

    Args:
        commands: The subparsers.
        run: Runs it and returns the exit code.
        summary: What it does.
        *examples: Command lines.
        details: More for its help, such as the fields of its JSON.
        check: Raises a `KerasFmError` where the options tell that `run` would, before Keras is
            imported; None where nothing can be known before.
        needs_keras: Whether it needs Keras, which takes seconds to import, or a function of the
            options that says so.
        trains: Whether it trains a model.

    Returns:
        The parser of the command.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        run.__name__.strip("_").replace("_", "-"),
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n  ".join(["examples:", *examples]) + (f"\n\n{details}" if details else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, check=check, needs_keras=needs_keras, trains=trains, parser=parser)
    return parser


def add_model(command: argparse.ArgumentParser, description: str, **options: Any) -> None:
    """Add the argument that names a model; a shell completes it."""
    complete_model(command.add_argument("model", help=description, **options))


def add_settings(command: argparse.ArgumentParser, description: str) -> None:
    """Add `--set` for fields of a recipe; a shell completes their names."""
    action = command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"{description}; may be repeated",
    )
    complete_with(action, lambda prefix, **_: [f"{name}=" for name in recipe_fields()])


def add_calibration(command: argparse.ArgumentParser, description: str) -> None:
    """Add the options that calibrate a classifier."""
    command.add_argument("--calibrate", action="store_true", default=None, help=description)
    command.add_argument(
        "--coverage",
        type=float,
        help="the share of inputs whose class is in the prediction set, such as 0.95; implies "
        "--calibrate (default: 0.9)",
    )


def complete_model(action: argparse.Action) -> None:
    """Let a shell complete the name of a model or the path of a folder."""
    complete_with(action, _complete_model)


def complete_with(action: argparse.Action, completer: Callable[..., list[str]]) -> None:
    """Let a shell complete the value of an option: from its beginning to the whole ones."""
    action.completer = completer  # type: ignore[attr-defined]  # the name is argcomplete's


def _complete_model(prefix: str, **_: Any) -> list[str]:
    """Return the names of models and the paths of folders that begin with `prefix`."""
    names = [name for name in registry.list_models() if name.startswith(prefix)]
    return names + list(_folders(prefix))


def _folders(prefix: str) -> Iterator[str]:
    parent = prefix.rpartition("/")[0]
    for path in sorted(Path(parent or ".").glob("*/")):
        name = f"{parent}/{path.name}" if parent else path.name
        if name.startswith(prefix) and (parent or path.name == "runs"):
            yield f"{name}/"
