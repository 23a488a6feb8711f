"""What the modules of verbs share."""

import argparse
from collections.abc import Callable
from typing import Any

Run = Callable[[argparse.Namespace], int]
Keras = bool | Callable[[argparse.Namespace], bool]


def add_command(
    verbs: Any, run: Run, summary: str, example: str, *, keras: Keras = True
) -> argparse.ArgumentParser:
    """Adds the verb that `run` is named after.

    Args:
        verbs: the sub-parsers. run: does it; its answer is the exit code.
        keras: whether it needs Keras, which takes seconds to import, or a function of the options
            that says so.
    """
    parser = verbs.add_parser(
        run.__name__.strip("_").replace("_", "-"),
        help=summary,
        description=summary,
        epilog=f"example: {example}",
    )
    parser.set_defaults(run=run, keras=keras)
    return parser
