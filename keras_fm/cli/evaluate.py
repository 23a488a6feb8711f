"""Evaluation: `evaluate` and `verify`."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from keras_fm import registry
from keras_fm.cli.common import add_command, add_model
from keras_fm.cli.printing import print_table
from keras_fm.formatting import format_value

EVALUATE_FIELDS = """fields of --json:
  METRIC         each metric of the model's task, by its name; a number
  num_examples   how many examples were evaluated
  data           what they are
  slices         with --slice-by: a number by class or category"""
VERIFY_FIELDS = """fields of --json, a list with an object a model:
  name     the model
  data     what it was measured on
  passed   whether all claims were confirmed
  checks   a list of claims, each with name, claimed and measured (strings) and passed"""


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _evaluate,
        "evaluate a model",
        "keras-fm evaluate cifar_cnn --slice-by label",
        "keras-fm evaluate lstm --data reviews.csv --text body --target stars",
        "keras-fm evaluate runs/mine --data photos/ --json",
        details=EVALUATE_FIELDS,
        check=_check_evaluate,
    )
    add_model(command, "a model's name or a run directory")
    command.add_argument("--split", default="test", help="test, train or sample (default: test)")
    command.add_argument("--data", help="your own data: a folder, a CSV file, or a text file")
    command.add_argument("--text", help="the column of the texts in the CSV file")
    command.add_argument("--target", help="the column of the classes or the target")
    command.add_argument(
        "--slice-by", help="'label' for the recall of each class; of a table, a column"
    )
    command.add_argument(
        "--json", action="store_true", help="the metrics as JSON, in full precision"
    )

    command = add_command(
        commands,
        _verify,
        "measure every reported metric again",
        "keras-fm verify cifar_cnn",
        "keras-fm verify runs/mine --json",
        details=VERIFY_FIELDS,
        check=_check_verify,
    )
    add_model(
        command,
        "MODEL, MODEL.TAG or a fine-tuning run directory (default: all pretrained models)",
        nargs="*",
    )
    command.add_argument("--json", action="store_true", help="all claims as JSON")


def _evaluate_arguments(options: argparse.Namespace) -> dict[str, Any]:
    names = ("data", "text", "target", "split", "slice_by")
    return {name: getattr(options, name) for name in names}


def _check_evaluate(options: argparse.Namespace) -> None:
    from keras_fm.evaluation.arguments import check_evaluate

    check_evaluate(options.model, **_evaluate_arguments(options))


def _evaluate(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.evaluation import evaluate

    metrics = evaluate(options.model, **_evaluate_arguments(options))
    if options.json:
        print(json.dumps(metrics, indent=2))
        return 0
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


def _check_verify(options: argparse.Namespace) -> None:
    from keras_fm.evaluation.arguments import check_verify

    for name in options.model:
        check_verify(name)


def _verify(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.verification import verify

    reports = [verify(name) for name in options.model or registry.list_models(pretrained=True)]
    if options.json:
        print(
            json.dumps(
                [{**asdict(report), "passed": report.passed} for report in reports], indent=2
            )
        )
    else:
        print("\n\n".join(map(str, reports)))
    return 0 if all(report.passed for report in reports) else 1
