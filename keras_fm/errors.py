"""The errors that a user can cause: one sentence each, with what was received and what to do.

Each also is the built-in error that Python's users would expect, so ``except ValueError`` works.
The command line prints the sentence and exits with 2.
"""

import difflib
import re
from collections.abc import Iterable

# Characters of a message: what was received may be the two million of a photo in base64.
MAX_MESSAGE = 3000
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@'\"]+@")
_LONGEST_NAME = 200  # that is compared with known names


class KerasFmError(Exception):
    """Base of every error that keras_fm raises on purpose."""

    def __str__(self) -> str:
        """Return the message without passwords in addresses, and a very long one's two ends."""
        message = _CREDENTIALS.sub("", super().__str__())
        if len(message) <= MAX_MESSAGE:
            return message
        half = MAX_MESSAGE // 2
        return f"{message[:half]} [{len(message) - 2 * half:,} characters] {message[-half:]}"


class UnknownNameError(KerasFmError, LookupError):
    """A model, tag, split or field that does not exist."""


class InvalidInputError(KerasFmError, ValueError):
    """A value, image, file or option that does not fit."""


class SchemaError(KerasFmError, ValueError):
    """An entry.toml or recipe.toml that does not follow the schema."""


class WeightsError(KerasFmError, ValueError):
    """A weights file that is missing, cut, altered, or made for another model."""


class DataError(KerasFmError, ValueError):
    """A data set that is not there or does not fit the model."""


class ExportError(KerasFmError, ValueError):
    """A SavedModel that a server could not load or run, or would not be asked so.

    code: TensorFlow's own, where it said so.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ServerError(KerasFmError, OSError):
    """A server that can't be reached, is late, refuses, or answers otherwise than TF Serving.

    status: the number of HTTP or the name of gRPC; None where the server did not say one.
    """

    def __init__(self, message: str, status: int | str | None = None) -> None:
        super().__init__(message)
        self.status = status


class RunError(KerasFmError, ValueError):
    """A run directory that exists already, or is no run."""


class DistributedError(KerasFmError, RuntimeError):
    """Processes that can't train together: one is missing, has ended, or trains something else."""


class MissingPackageError(KerasFmError, ImportError):
    """A package that is required, and is not installed."""


class DataWarning(UserWarning):
    """Something in a user's data that was left out or looks wrong, with how many there are."""


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are nearest to `name`, at most three."""
    if len(name) > _LONGEST_NAME:
        return []
    return difflib.get_close_matches(name, [*known], n=3, cutoff=0.5)


def suggest(name: str, known: Iterable[str]) -> str:
    """Says which known names are nearest to `name`, or which there are when none is near."""
    known = sorted(known)
    near = near_names(name, known)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"Known: {', '.join(known) or 'none'}."
