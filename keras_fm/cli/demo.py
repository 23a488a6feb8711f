"""The demo: `demo`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _demo,
        "classify, fine-tune, export and query the export, in a minute",
        "keras-fm demo",
    )
    command.add_argument("--directory", default="runs", help="output directory (default: runs)")


def _demo(options: argparse.Namespace) -> int:
    from keras_fm.demo import demo

    return demo(options.directory)
