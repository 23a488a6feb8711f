"""Checks of the numbers that users give as options."""

import math
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError


def check_int(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number of Python's or numpy's as Python's.

    Raises:
        InvalidInputError: It is none, or not from `low` to `high`.
    """
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not is_int or value < low or (high is not None and value > high):
        limits = f"from {low}" if high is None else f"from {low} to {high}"
        raise InvalidInputError(f"{name} is a whole number {limits}; received {value!r}")
    return int(value)


def check_float(name: str, value: Any, low: float, high: float | None = None) -> float:
    """Return a finite number of Python's or numpy's as Python's.

    Raises:
        InvalidInputError: It is none, or not from `low` to `high`.
    """
    kinds = (int, float, np.integer, np.floating)
    is_number = isinstance(value, kinds) and not isinstance(value, (bool, np.bool_))
    if (
        not is_number
        or not math.isfinite(value)
        or value < low
        or (high is not None and value > high)
    ):
        limits = f"from {low}" if high is None else f"from {low} to {high}"
        raise InvalidInputError(f"{name} is a number {limits}; received {value!r}")
    return float(value)
