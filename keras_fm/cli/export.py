"""Serving: `export` and `serve-check`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.errors import InvalidInputError


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(
        verbs,
        _export,
        "write a SavedModel",
        "keras-fm export cifar_cnn exports/cifar_cnn; keras-fm export --all exports",
    )
    verb.add_argument("model", nargs="?", help="a model's name or a run directory")
    verb.add_argument("directory", help="the base path for TF Serving; versions lie under it")
    verb.add_argument("--all", action="store_true", help="every model with weights, for one server")
    verb.add_argument("--version", type=int, dest="number", help="default: the next free one")
    verb.add_argument("--no-warmup", action="store_true", help="leave out the warm-up requests")
    verb.add_argument(
        "--precision", default="float32", help="float32, bfloat16 or int8 (default: float32)"
    )
    verb.add_argument(
        "--optimize-for", default="memory", help="memory or latency: weights as constants"
    )

    verb = add_command(
        verbs,
        _serve_check,
        "whether a server could load and run an export",
        "keras-fm serve-check exports/cifar_cnn --url http://localhost:8501",
    )
    verb.add_argument("directory", help="a version, or the folder of versions: the highest one")
    verb.add_argument("--url", help="a TF Serving that serves it: ask it the same")


def _export(options: argparse.Namespace) -> int:
    from keras_fm.exporting.saved_model import export, export_all

    chosen = {
        "warmup": not options.no_warmup,
        "precision": options.precision,
        "optimize_for": options.optimize_for,
    }
    if options.all:
        if options.model is not None or options.number is not None:
            raise InvalidInputError("--all exports every model: name the directory alone")
        for version in export_all(options.directory, **chosen):
            print(version)
        return 0
    if options.model is None:
        raise InvalidInputError(
            f"expected MODEL DIRECTORY, or --all DIRECTORY; received {options.directory!r} alone"
        )
    path = export(options.model, options.directory, version=options.number, **chosen)
    print(f"{path}\nsaved_model_cli show --dir {path} --all\n{path.parent / 'README.md'}")
    return 0


def _serve_check(options: argparse.Namespace) -> int:
    from keras_fm.exporting.checks import serve_check

    report = serve_check(options.directory, url=options.url)
    print(report)
    return 0 if report.passed else 1
