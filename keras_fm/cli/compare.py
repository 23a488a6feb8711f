"""Comparison: `compare`."""

import argparse
import json
from typing import Any

from keras_fm.cli.common import add_command, complete_model

COMPARE_FIELDS = """fields of --json:
  a, b           the names
  metric         the metric that is compared, of which the others are
  difference     B minus A, with its 95 % interval
  is_better      whether B is better than A; is_worse, whether it is worse
  metrics        by metric the values of A and B
  flips          of classifiers: only_a, only_b, both, neither (how many each gets right), p_value
                 (McNemar's exact test), and examples
  slices         with --slice-by: by what is sliced by, and by slice: a, b, difference, interval,
                 num_examples"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _compare,
        "compare two models, runs or exports on the same examples",
        "keras-fm compare lstm mini_bert --slice-by length",
        "keras-fm compare exports/live runs/mine --data holdout/",
        "keras-fm compare runs/old runs/new --json",
        details=COMPARE_FIELDS,
        check=_check,
    )
    complete_model(command.add_argument("a", help="a model's name, a run directory or an export"))
    complete_model(command.add_argument("b", help="what may take its place"))
    add_data(command)
    command.add_argument("--split", help="as in evaluate: test, train or sample")
    command.add_argument(
        "--slice-by", action="append", help="as in evaluate: 'label', a column and more; once each"
    )
    command.add_argument(
        "--flips", type=int, default=10, help="how many examples that flip are listed (default: 10)"
    )
    command.add_argument("--json", action="store_true", help="the report as JSON")


def add_data(command: argparse.ArgumentParser, note: str = "") -> None:
    """Add the options of a user's own data to evaluate on."""
    command.add_argument("--data", help=f"your own data, as in evaluate{note}")
    command.add_argument("--text", help=f"the column of the texts in the CSV file{note}")
    command.add_argument("--target", help=f"the column of the classes or the target{note}")


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    names = ("a", "b", "data", "text", "target", "split", "slice_by")
    return {name: getattr(options, name) for name in names}


def _check(options: argparse.Namespace) -> None:
    from keras_fm.comparison.arguments import check_compare

    check_compare(**_arguments(options))


def _compare(options: argparse.Namespace) -> int:
    from keras_fm.comparison.comparison import compare

    report = compare(
        **_arguments(options),
        max_flips=options.flips,
        verbose=0 if options.json else "auto",  # nothing but the JSON on stdout
    )
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0
