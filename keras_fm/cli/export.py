"""Serving: `export` and `serve-check`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_calibration, add_command, add_model
from keras_fm.cli.compare import add_data
from keras_fm.cli.printing import format_command
from keras_fm.errors import InvalidInputError
from keras_fm.files import local_path
from keras_fm.models import export_files


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _export,
        "export a SavedModel",
        "keras-fm export cifar_cnn exports/cifar_cnn",
        "keras-fm export runs/mine exports/mine --precision bfloat16",
        "keras-fm export cifar_cnn exports/cifar_cnn --coverage 0.95",
        "keras-fm export runs/mine exports/live --against exports/live --data holdout/",
        "keras-fm export --all exports",
        check=_check_export,
    )
    add_model(command, "a model's name or a run directory", nargs="?")
    command.add_argument(
        "directory", help="the base path for TF Serving, with a subdirectory per version"
    )
    command.add_argument(
        "--all", action="store_true", help="export every pretrained model, for one server"
    )
    command.add_argument(
        "--version", type=int, dest="number", help="the version number (default: the next free one)"
    )
    command.add_argument("--no-warmup", action="store_true", help="leave out the warm-up requests")
    command.add_argument(
        "--no-sketch",
        action="store_true",
        help="leave out the sketch of the training inputs, which keras-fm drift compares with",
    )
    command.add_argument(
        "--precision", default="float32", help="float32, bfloat16 or int8 (default: float32)"
    )
    command.add_argument(
        "--optimize-for",
        default="memory",
        help="memory, or latency, which turns weights into constants (default: memory)",
    )
    command.add_argument(
        "--against",
        metavar="EXPORT",
        help="export nothing where the model is worse than this export (or run, or model) by more "
        "than the 95 %% interval of the difference; see keras-fm compare",
    )
    add_data(command, ", with --against")
    add_calibration(
        command,
        "add calibrated_probabilities, prediction_set and in_distribution to a classifier's "
        "signatures (default: where the run is calibrated)",
    )
    command.add_argument(
        "--calibration-data",
        metavar="DATA",
        help="your own data to calibrate on (default: what the recipe, or the run, held out)",
    )

    command = add_command(
        commands,
        _serve_check,
        "check whether TF Serving can load and run an export",
        "keras-fm serve-check exports/cifar_cnn",
        "keras-fm serve-check exports/cifar_cnn --url http://localhost:8501",
        check=_check_serve_check,
    )
    command.add_argument(
        "directory", help="a version, or a directory of versions, of which the latest is checked"
    )
    command.add_argument("--url", help="a TF Serving that has loaded it, to compare its responses")


def _export_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "warmup": not options.no_warmup,
        "sketch": not options.no_sketch,
        "precision": options.precision,
        "optimize_for": options.optimize_for,
        "calibrate": options.calibrate,
        "coverage": options.coverage,
        "calibration_data": options.calibration_data,
        **_calibration_columns(options),
    }


def _calibration_columns(options: argparse.Namespace) -> dict[str, Any]:
    """Return the columns of the data to calibrate on, which are those of --data, too."""
    if options.calibration_data is None:
        return {}
    return {"text": options.text, "target": options.target}


def _check_export(options: argparse.Namespace) -> None:
    from keras_fm.exporting.arguments import check_export

    if options.all and (options.model is not None or options.number is not None):
        raise InvalidInputError("--all exports every model: name the directory alone")
    if not options.all and options.model is None:
        raise InvalidInputError(
            f"expected MODEL DIRECTORY, or --all DIRECTORY; received {options.directory!r} alone"
        )
    if options.all and (options.calibrate or options.coverage or options.calibration_data):
        raise InvalidInputError("--all exports regressions, too: calibrate each classifier alone")
    check_export(
        options.model, options.directory, version=options.number, **_export_options(options)
    )
    data_options = _data_options(options)
    if options.against is None:
        for name, value in data_options.items():
            if value is not None and name not in _calibration_columns(options):
                raise InvalidInputError(f"--{name} is for --against: name what to compare with")
        return
    if options.all:
        raise InvalidInputError("--against compares a single model; received --all")
    from keras_fm.comparison.arguments import check_compare

    check_compare(options.against, options.model, **data_options)


def _data_options(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("data", "text", "target")}


def _export(options: argparse.Namespace) -> int:
    from keras_fm.exporting.saved_model import export, export_all

    export_options = _export_options(options)
    if options.all:
        for version in export_all(options.directory, **export_options):
            print(version, flush=True)
        return 0
    if options.against is not None:
        from keras_fm.comparison.gate import check_not_worse
        from keras_fm.comparison.report import describe_difference

        report = check_not_worse(
            options.model,
            options.against,
            precision=options.precision,
            **_data_options(options),
        )
        print(f"{report.verdict} (A: {report.a}, B: {report.b}): {describe_difference(report)}")
    path = export(options.model, options.directory, version=options.number, **export_options)
    command = format_command("saved_model_cli", "show", "--dir", path, "--all")
    print(f"{path}\n{command}\n{path.parent / 'README.md'}")
    return 0


def _check_serve_check(options: argparse.Namespace) -> None:
    export_files.find_version(local_path(options.directory))


def _serve_check(options: argparse.Namespace) -> int:
    from keras_fm.exporting.checks import serve_check

    report = serve_check(options.directory, url=options.url)
    print(report)
    return 0 if report.passed else 1
