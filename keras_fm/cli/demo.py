"""Trying it: `demo`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(verbs, _demo, "the main job, in a minute", "keras-fm demo")
    verb.add_argument("--directory", default="runs", help="where it writes (default: runs)")


def _demo(options: argparse.Namespace) -> int:
    from keras_fm.demo import demo

    return demo(options.directory)
