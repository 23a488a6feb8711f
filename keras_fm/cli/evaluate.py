"""Measuring: `evaluate` and `verify`."""

import argparse
from typing import Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(
        verbs, _evaluate, "measure a model", "keras-fm evaluate cifar_cnn --slices label"
    )
    verb.add_argument("model", help="a model's name or a run directory")
    verb.add_argument("--split", default="test", help="test, train or sample (default: test)")
    verb.add_argument("--data", help="your own: a folder, a CSV file, or a text")
    verb.add_argument("--text", help="the column of the texts in the CSV file")
    verb.add_argument("--target", help="the column of their classes")
    verb.add_argument("--slices", help="'label': each class alone too; of a table, a column")

    verb = add_command(verbs, _verify, "measure every claim again", "keras-fm verify cifar_cnn")
    verb.add_argument(
        "model",
        nargs="*",
        help="MODEL, MODEL.TAG or a fine-tuning's directory (default: all with weights)",
    )


def _evaluate(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.evaluation import evaluate

    scores = evaluate(
        options.model,
        data=options.data,
        text=options.text,
        target=options.target,
        split=options.split,
        slices=options.slices,
    )
    slices = scores.pop("slices", {})
    headline = next(iter(scores))
    rows = [
        (name, f"{value:.4f}" if isinstance(value, float) else f"{value}")
        for name, value in scores.items()
    ]
    rows += [(f"{headline}, {name}", f"{value:.4f}") for name, value in slices.items()]
    print_table(rows)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.verification import verify

    reports = [verify(name) for name in options.model or registry.list_models(pretrained=True)]
    print("\n\n".join(map(str, reports)))
    return 0 if all(report.holds for report in reports) else 1
