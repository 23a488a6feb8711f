"""The arguments of `export`, checked before anything slow is imported."""

import os
from pathlib import Path
from typing import Any, Literal, get_args

from keras_fm.calibration.arguments import check_classifier, check_coverage
from keras_fm.errors import InvalidInputError
from keras_fm.exporting.same_model import check_same_model
from keras_fm.files import check_folder_path, local_path
from keras_fm.models.lookup import look_up
from keras_fm.options import check_int

Precision = Literal["float32", "bfloat16", "int8"]
OptimizeFor = Literal["memory", "latency"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
MAX_VERSION = 2**63 - 1  # TF Serving counts in int64


def check_export(
    name_or_model: Any,
    directory: str | os.PathLike[str],
    *,
    version: int | None = None,
    precision: str = "float32",
    optimize_for: str = "memory",
    calibrate: bool | None = None,
    coverage: float | None = None,
    calibration_data: Any = None,
    text: str | None = None,
    target: str | None = None,
    **_: Any,
) -> None:
    """Check the arguments of `export` as far as they can be without the model.

    Raises:
        KerasFmError: As `export` raises it.
    """
    check_export_options(precision, optimize_for)
    coverage = resolve_coverage(calibrate, coverage, calibration_data)
    if calibration_data is None and (text is not None or target is not None):
        raise InvalidInputError(
            "text and target are columns of calibration_data: name it as well (calibration_data=, "
            "or --calibration-data)"
        )
    base = local_path(directory)
    check_version(base, version)
    if isinstance(name_or_model, (str, os.PathLike)):
        named = look_up(name_or_model)
        if coverage is not None:
            check_classifier(named.name, named.task_name)
        check_same_model(base, named.info)


def resolve_coverage(
    calibrate: bool | None, coverage: float | None, calibration_data: Any
) -> float | None:
    """Return the coverage of the calibration that an export is to have; None: that of the model.

    Raises:
        InvalidInputError: It is no fraction, or the options contradict each other.
    """
    if calibration_data is not None:
        if calibrate is False:
            raise InvalidInputError(
                "calibration_data is of a calibration: leave out calibrate=False"
            )
        calibrate = True
    return check_coverage(calibrate, coverage)


def check_export_options(precision: str, optimize_for: str) -> None:
    """Check what an export is to be.

    Raises:
        InvalidInputError: There is no such precision or aim.
    """
    check_precision(precision)
    if optimize_for not in get_args(OptimizeFor):
        raise InvalidInputError(
            f"optimize_for is one of {', '.join(get_args(OptimizeFor))}; received {optimize_for!r}"
        )


def check_precision(precision: str) -> None:
    """Raise an `InvalidInputError` where an export has no such precision."""
    if precision not in PRECISIONS:
        raise InvalidInputError(
            f"precision is one of {', '.join(PRECISIONS)}; received {precision!r}"
        )


def check_version(base: Path, version: int | None) -> Path:
    """Return the folder of a new version in the folder of all; None is the next free one.

    Raises:
        InvalidInputError: The version exists, or is no whole number from 1; or the folder is a
            file.
    """
    check_folder_path(base)
    if version is None:
        used = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
        return base / str(max(used, default=0) + 1)
    path = base / str(check_int("version", version, 1, MAX_VERSION))
    if path.exists():
        raise InvalidInputError(f"{path} exists; leave version out for the next free one")
    return path
