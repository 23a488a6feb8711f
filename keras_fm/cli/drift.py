"""Monitoring: `drift`."""

import argparse
import json
from pathlib import Path
from typing import Any

from keras_fm.cli.common import add_command, complete_model

DRIFT_FIELDS = """fields of --json, and of a report that ends in .json:
  export            the version
  source            what the training inputs are, of which there are num_reference
  num_requests      how many inputs were measured
  features          those that moved most first: name, role (input or output), kind, psi, noise
                    (what chance alone exceeds in 1 % of reports), ks, p_value, reference and
                    requests (means, or shares), change, verdict, and the counts of each bin
  requests_needed   how many requests show a PSI of 0.1; null where no number does
  notes             what was left out
  summary           what moved, in a sentence"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _drift,
        "say what moved between training inputs and requests",
        "keras-fm drift exports/cifar_cnn requests.tfrecord",
        "keras-fm drift exports/cifar_cnn photos/ --out drift.html",
        "keras-fm drift exports/prices monday.csv --fail-above 0.25  # for cron: exits with 1",
        "keras-fm drift exports/prices monday.csv --reference last_month.csv",
        details=DRIFT_FIELDS,
        check=_check,
    )
    complete_model(command.add_argument("export", help="a directory of versions, or a version"))
    command.add_argument(
        "data",
        nargs="+",
        help="request logs of TF Serving (TFRecord files of PredictionLog), tables (CSV, JSON "
        "lines, Parquet), images, texts in files, or folders of these",
    )
    command.add_argument(
        "--reference",
        nargs="+",
        metavar="DATA",
        help="data to compare with instead of the export's sketch of its training inputs",
    )
    command.add_argument("--text", help="the column of the texts in tables")
    command.add_argument(
        "--out", metavar="REPORT", help="also write the report: .html (histograms too) or .json"
    )
    command.add_argument(
        "--fail-above",
        type=float,
        metavar="PSI",
        help="exit with 1 where a PSI is above this and above the noise, such as 0.25",
    )
    command.add_argument("--json", action="store_true", help="the report as JSON")


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "export": options.export,
        "data": [*map(Path, options.data)],
        "reference": options.reference and [*map(Path, options.reference)],
        "text": options.text,
    }


def _check(options: argparse.Namespace) -> None:
    from keras_fm.drift_detection.arguments import check_drift

    check_drift(**_arguments(options), out=options.out, fail_above=options.fail_above)


def _drift(options: argparse.Namespace) -> int:
    from keras_fm.drift_detection.detection import drift

    report = drift(**_arguments(options))
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    if options.out is not None:
        report.save(options.out)
    is_too_far = options.fail_above is not None and bool(report.above(options.fail_above))
    return int(is_too_far)
