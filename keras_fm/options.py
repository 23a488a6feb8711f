"""Checks of options: their names; numbers of Python and numpy, but no truth values and no NaN."""

import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.familiar_names import suggest_option

P = ParamSpec("P")
R = TypeVar("R")

Verbose = Literal["auto", 0, 1, 2]


def to_python(value: Any) -> Any:
    """Return a number or string of numpy, also as an array of no dimension, as that of Python."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def check_int(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return the value as Python's `int`.

    Args:
        name: What the error calls the option.
        value: What the user passed.
        low: The smallest value allowed.
        high: The largest value allowed.

    Raises:
        InvalidInputError: It is no integer, or outside the range.
    """
    python_value = to_python(value)
    if not isinstance(python_value, bool) and isinstance(python_value, numbers.Integral):
        integer = int(python_value)
        if (low is None or low <= integer) and (high is None or integer <= high):
            return integer
    raise InvalidInputError(f"{name} is a whole number{_range(low, high)}; received {value!r}")


def check_float(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    unit: str = "",
) -> float:
    """Return the value, a finite number, as Python's `float`.

    Args:
        name: What the error calls the option.
        value: What the user passed.
        low: The smallest value allowed.
        high: The largest value allowed.
        above: A bound that is not allowed itself, instead of `low`.
        unit: What the number counts, such as "seconds", for the error.

    Raises:
        InvalidInputError: It is no finite number, or outside the range.
    """
    python_value = to_python(value)
    if not isinstance(python_value, bool) and isinstance(python_value, numbers.Real):
        try:
            number = float(python_value)
        except OverflowError:  # an integer that no float can hold
            number = math.inf
        inside = (low is None or low <= number) and (high is None or number <= high)
        if math.isfinite(number) and inside and (above is None or above < number):
            return number
    of_unit = f" of {unit}" if unit else ""
    raise InvalidInputError(
        f"{name} is a number{of_unit}{_range(low, high, above)}; received {value!r}"
    )


def check_option_names(
    owner: str,
    function: Callable[..., Any],
    options: Mapping[str, Any],
    *,
    skip: int,
    verb: str = "",
) -> None:
    """Check that a function takes the options.

    Args:
        owner: What the error says has no such option.
        function: The function.
        options: By name.
        skip: How many of its first parameters are no options.
        verb: The public function that the user called, for the hint.

    Raises:
        UnknownNameError: It has no such parameter.
    """
    known = [*inspect.signature(function).parameters][skip:]
    for name in options:
        if name not in known:
            hint = suggest_option(name, known, verb)
            raise UnknownNameError(f"{owner} has no option {name!r}. {hint}")


def with_checked_options(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: the error of an unknown option says which one is meant."""

    @functools.wraps(function)
    def checked(*arguments: P.args, **options: P.kwargs) -> R:
        name = function.__name__
        check_option_names(name, function, options, skip=0, verb=name)
        return function(*arguments, **options)

    return checked


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return the value, one of some; a number of numpy as Python's.

    Raises:
        InvalidInputError: It is none of them.
    """
    python_value = to_python(value)
    if isinstance(python_value, (str, int)) and python_value in choices:
        return python_value
    *others, last = map(repr, choices)
    raise InvalidInputError(f"{name} is {', '.join(others)} or {last}; received {value!r}")


def check_verbose(verbose: Any) -> Verbose:
    """Return what Keras takes as `verbose`, or raise an `InvalidInputError`."""
    return check_choice("verbose", verbose, get_args(Verbose))


def _range(low: float | None, high: float | None, above: float | None = None) -> str:
    words = []
    if above is not None:
        words.append(f"above {above}")
    if low is not None:
        words.append(f"from {low}")
    if high is not None:
        words.append(f"to {high}" if low is not None else f"up to {high}")
    return "".join(f" {word}" for word in words)
