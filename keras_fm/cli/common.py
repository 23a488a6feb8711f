"""What the modules of commands share."""

import argparse
from collections.abc import Callable
from typing import Any

Run = Callable[[argparse.Namespace], int]
NeedsKeras = bool | Callable[[argparse.Namespace], bool]


def add_command(
    commands: Any, run: Run, summary: str, example: str, *, needs_keras: NeedsKeras = True
) -> argparse.ArgumentParser:
    """Add the command that `run` is named after.

    Args:
        commands: The subparsers.
        run: Runs it and returns the exit code.
        summary: What it does.
        example: A command line.
        needs_keras: Whether it needs Keras, which takes seconds to import, or a function of the
            options that says so.

    Returns:
        The parser of the command.
    """
    parser = commands.add_parser(
        run.__name__.strip("_").replace("_", "-"),
        help=summary,
        description=summary,
        epilog=f"example: {example}",
    )
    parser.set_defaults(run=run, needs_keras=needs_keras)
    return parser
