"""The demo: `demo`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.files import check_folder_path, local_path


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _demo,
        "classify, fine-tune, export and query the export, in a minute",
        "keras-fm demo",
        check=_check_demo,
        trains=True,
    )
    command.add_argument("--directory", default="runs", help="output directory (default: runs)")


def _check_demo(options: argparse.Namespace) -> None:
    check_folder_path(local_path(options.directory))


def _demo(options: argparse.Namespace) -> int:
    from keras_fm.demo import demo

    return demo(options.directory)
