"""The options `calibrate` and `coverage`, checked before anything slow is imported."""

import math
from typing import Any

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.options import check_float
from keras_fm.registry.tasks import is_classification

DEFAULT_COVERAGE = 0.9


def check_coverage(calibrate: bool | None, coverage: float | None) -> float | None:
    """Return the coverage of a calibration; None where there is to be none.

    Args:
        calibrate: Whether to calibrate; None where nobody said.
        coverage: The share of new examples whose class is to be in the prediction set; it implies
            `calibrate`.

    Raises:
        InvalidInputError: It is no fraction, or contradicts `calibrate`.
    """
    if not isinstance(calibrate, (bool, type(None))):
        raise InvalidInputError(f"calibrate is True or False; received {calibrate!r}")
    if coverage is None:
        return DEFAULT_COVERAGE if calibrate else None
    value = check_float("coverage", coverage)
    if not 0 < value < 1:
        raise InvalidInputError(
            "coverage is the share of examples whose class is in the prediction set, a number "
            f"above 0 and below 1, such as 0.9; received {coverage!r}"
        )
    if calibrate is False:
        raise InvalidInputError(
            f"coverage is of a calibration: leave out calibrate=False; received {coverage!r}"
        )
    return value


def check_classifier(name: str, task_name: str, option: str = "calibrate") -> None:
    """Check that a model has classes, whose probabilities alone are calibrated.

    Raises:
        InvalidInputError: It has none.
    """
    if not is_classification(task_name):
        raise InvalidInputError(
            f"{option} is for classifiers; received {name} ({task_name}), whose outputs are no "
            f"probabilities of classes: leave out {option}"
        )


def num_threshold_examples(coverage: float) -> int:
    """Return how many examples the thresholds need at least: from 1 / (1 - coverage) - 1."""
    return max(1, math.ceil(round(1 / (1 - coverage) - 1, 6)))


def check_num_examples(description: str, count: int, coverage: float) -> None:
    """Check that there are enough held-out examples, half of which fit the temperature.

    Raises:
        DataError: There are too few.
    """
    needed = 2 * num_threshold_examples(coverage)
    if count < needed:
        raise DataError(
            f"{description}: a calibration with coverage {coverage:g} needs {needed:,} held-out "
            f"examples or more, half of them for the temperature; received {count:,}: hold out "
            "more, or choose a lower coverage"
        )


def describe_missing(name: Any) -> str:
    """Say that no held-out examples are known, and what to do."""
    return (
        f"no held-out examples of {name} are known to calibrate it on: name some that it was not "
        "trained on (calibration_data=, or --calibration-data)"
    )
