"""Evaluation: `evaluate` and `verify`."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from keras_fm import registry
from keras_fm.cli.calibration import print_calibration
from keras_fm.cli.common import add_command, add_model
from keras_fm.cli.printing import print_table
from keras_fm.cli.slices import format_metric, print_slices
from keras_fm.errors import InvalidInputError
from keras_fm.registry.metrics import METRICS

EVALUATE_FIELDS = """fields of --json:
  METRIC         each metric of the model's task, by its name; a number
  num_examples   how many examples were evaluated
  data           what they are
  slices         with --slice-by: by what is sliced by, and by slice, the worst first: the metric,
                 its 95 % interval, num_examples
  fairness       of two classes sliced by a column: demographic_parity_difference and
                 equalized_odds_difference
  at_threshold   with --threshold: threshold, positive_class, accuracy, balanced_accuracy,
                 precision, recall, f1, and of costs mean_cost
  calibration    with --calibration: expected_calibration_error, cross_entropy, reliability; where
                 there is a calibration also calibrated_..., set_coverage, mean_set_size,
                 in_distribution
  out_of_distribution  by the name of the other data: auroc, num_inputs, in_distribution"""
VERIFY_FIELDS = """fields of --json, a list with an object a model:
  name     the model
  data     what it was measured on
  passed   whether all claims were confirmed
  checks   a list of claims, each with name, claimed and measured (strings) and passed
  left_out the claims that --quick leaves out"""


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _evaluate,
        "evaluate a model",
        "keras-fm evaluate cifar_cnn --slice-by label --slice-by brightness",
        "keras-fm evaluate lstm --data reviews.csv --text body --target stars",
        "keras-fm evaluate runs/mine --data photos/ --json",
        "keras-fm evaluate cifar_cnn --corruption gaussian_noise --severity 5",
        "keras-fm evaluate cifar_cnn --out-of-distribution fashion_mnist --out-of-distribution "
        "noise",
        "keras-fm evaluate runs/mine --threshold false_positive=1,false_negative=5",
        details=EVALUATE_FIELDS,
        check=_check_evaluate,
    )
    add_model(command, "a model's name or a run directory")
    command.add_argument(
        "--split",
        help="test, train or sample of the model's data set (default: test; of a run on own data, "
        "what validated it)",
    )
    command.add_argument("--data", help="your own data: a folder, a CSV file, or a text file")
    command.add_argument("--text", help="the column of the texts in the CSV file")
    command.add_argument("--target", help="the column of the classes or the target")
    command.add_argument(
        "--slice-by",
        action="append",
        help="'label' for the recall of each class, 'brightness' of images, 'length' of texts, or "
        "a column of a table; once for each",
    )
    command.add_argument(
        "--corruption",
        help="corrupt the images (gaussian_noise, gaussian_blur, jpeg_compression and more) or the "
        "texts (typos, case, negation)",
    )
    command.add_argument("--severity", type=int, help="of the corruption, from 1 to 5 (default: 3)")
    command.add_argument(
        "--calibration",
        action="store_true",
        help="how far a classifier's probabilities can be trusted, with its calibration if it has "
        "one",
    )
    command.add_argument(
        "--out-of-distribution",
        action="append",
        metavar="DATA",
        help="other data that a classifier should tell from its own: noise, a TFDS data set, a "
        "folder or a file; once for each",
    )
    command.add_argument(
        "--threshold",
        type=_threshold,
        help="two classes: from which probability on the second one is predicted; or 'balanced', "
        "or false_positive=COST,false_negative=COST, to choose it on these examples",
    )
    command.add_argument(
        "--quick", action="store_true", help="leave out metrics that a model is trained for"
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
        "keras-fm verify --quick",
        details=VERIFY_FIELDS,
        check=_check_verify,
    )
    add_model(
        command,
        "MODEL, MODEL.TAG or a run directory",
        nargs="*",
    )
    command.add_argument("--all", action="store_true", help="verify all pretrained models")
    command.add_argument(
        "--quick", action="store_true", help="leave out what takes minutes; alone, for all models"
    )
    command.add_argument("--json", action="store_true", help="all claims as JSON")


def _evaluate_arguments(options: argparse.Namespace) -> dict[str, Any]:
    names = ["data", "text", "target", "split", "slice_by", "corruption", "severity"]
    names += ["calibration", "out_of_distribution", "threshold"]
    return {name: getattr(options, name) for name in names}


def _threshold(word: str) -> Any:
    """Return what `evaluate` takes: a number, a word, or costs by name."""
    if "=" in word:
        pairs = (part.partition("=") for part in word.split(","))
        return {name.strip(): _number(cost) for name, _, cost in pairs}
    return _number(word)


def _number(word: str) -> Any:
    try:
        return float(word)
    except ValueError:
        return word  # the check says what is expected


def _check_evaluate(options: argparse.Namespace) -> None:
    from keras_fm.evaluation.arguments import check_evaluate

    check_evaluate(options.model, **_evaluate_arguments(options))


def _evaluate(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.evaluation import evaluate

    metrics = evaluate(
        options.model,
        **_evaluate_arguments(options),
        quick=options.quick,
        verbose=0 if options.json else "auto",  # nothing but the JSON on stdout
    )
    if options.json:
        print(json.dumps(metrics, indent=2))
        return 0
    slices, fairness = metrics.pop("slices", {}), metrics.pop("fairness", {})
    calibration = metrics.pop("calibration", {})
    others = metrics.pop("out_of_distribution", {})
    at_threshold = metrics.pop("at_threshold", {})
    print_table(
        [
            (name, format_metric(value) if isinstance(value, float) else f"{value}")
            for name, value in metrics.items()
        ]
    )
    if at_threshold:
        print(
            f"\n{at_threshold.pop('positive_class')} from a probability of "
            f"{at_threshold.pop('threshold'):.4g} on"
        )
        print_table([(name, format_metric(value)) for name, value in at_threshold.items()])
    print_slices(slices, fairness)
    print_calibration(calibration, others)
    return 0


def _check_verify(options: argparse.Namespace) -> None:
    from keras_fm.evaluation.arguments import check_verify

    for name in _models_to_verify(options):
        check_verify(name)


def _verify(options: argparse.Namespace) -> int:
    from keras_fm.evaluation.verification import verify

    names = _models_to_verify(options)
    if options.json:
        reports = [verify(name, quick=options.quick, verbose=0) for name in names]
        objects = [{**asdict(report), "passed": report.passed} for report in reports]
        print(json.dumps(objects, indent=2))
        return 0 if all(report.passed for report in reports) else 1
    if len(names) > 1:
        print(f"{len(names)} models: {', '.join(names)}\n")
    passed = []
    for number, name in enumerate(names):
        print(f"{chr(10) * bool(number)}{name}", flush=True)
        report = verify(name, quick=options.quick, on_check=_print_checks())
        print(f"measured on {report.data}")
        if report.left_out:
            print(f"left out, for they take minutes: {', '.join(report.left_out)}")
        passed.append(report.passed)
    return 0 if all(passed) else 1


def _models_to_verify(options: argparse.Namespace) -> list[str]:
    pretrained = registry.list_models(pretrained=True)
    if options.all and options.model:
        raise InvalidInputError("--all verifies every pretrained model: name none")
    if not (options.model or options.all or options.quick):
        raise InvalidInputError(
            f"expected a model or a run directory; --all verifies all {len(pretrained)} pretrained "
            "models, some of which take minutes, and --quick leaves that out"
        )
    return options.model or pretrained


def _print_checks() -> Callable[[Any], None]:
    """Return a function that prints a claim when it is measured, the first under a header."""
    header = [("claim", "claimed", "measured", "")]

    def print_check(check: Any) -> None:
        while header:
            print(_format_row(header.pop()), flush=True)
        print(_format_row(check.row), flush=True)

    return print_check


def _format_row(cells: tuple[str, ...]) -> str:
    """Return a row of a table whose other rows are not known yet."""
    width = max(len(metric.title) for metric in METRICS.values())
    return "  ".join(
        f"{cell:{width if index == 0 else 16}}" for index, cell in enumerate(cells)
    ).rstrip()
