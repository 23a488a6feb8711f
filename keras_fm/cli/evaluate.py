"""Evaluation: `evaluate` and `verify`."""

import argparse
from typing import Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table
from keras_fm.formatting import format_value


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands, _evaluate, "evaluate a model", "keras-fm evaluate cifar_cnn --slice-by label"
    )
    command.add_argument("model", help="a model's name or a run directory")
    command.add_argument(
        "--split",
        help="test, train or sample of the model's data set (default: test; of a run on own data, "
        "what validated it)",
    )
    command.add_argument("--data", help="your own data: a folder, a CSV file, or a text file")
    command.add_argument("--text", help="the column of the texts in the CSV file")
    command.add_argument("--target", help="the column of the classes or the target")
    command.add_argument(
        "--slice-by", help="'label' for the recall of each class; of a table, a column"
    )

    command = add_command(
        commands, _verify, "measure every reported metric again", "keras-fm verify cifar_cnn"
    )
    command.add_argument(
        "model",
        nargs="*",
        help="MODEL, MODEL.TAG or a run directory (default: all pretrained models)",
    )


def _evaluate(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.evaluation import evaluate

    metrics = evaluate(
        options.model,
        data=options.data,
        text=options.text,
        target=options.target,
        split=options.split,
        slice_by=options.slice_by,
    )
    slices = metrics.pop("slices", {})
    sliced_metric = "recall" if options.slice_by == "label" else next(iter(metrics))
    rows = [
        (name, _format(value) if isinstance(value, float) else f"{value}")
        for name, value in metrics.items()
    ]
    rows += [(f"{sliced_metric}, {name}", _format(value)) for name, value in slices.items()]
    print_table(rows)
    return 0


def _format(value: float) -> str:
    return format_value(value, ".4f", 1e-3)


def _verify(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.verification import verify

    reports = [verify(name) for name in options.model or registry.list_models(pretrained=True)]
    print("\n\n".join(map(str, reports)))
    return 0 if all(report.passed for report in reports) else 1
