"""Where a user's data is, and what the user says of it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_fm.data import datasets
from keras_fm.errors import DataError
from keras_fm.files import local_path

ProblemType = Literal["regression", "classification"]

TFDS_PREFIX = "tfds:"
_TFDS_NAME = re.compile(r"(?P<dataset>[^/.:\\]+)(/[\w.+-]+)?(:[\w.*]+)?")


@dataclass(frozen=True)
class UserData:
    """A user's data and what the user says of it.

    Attributes:
        data: A file or folder, (inputs, targets), a `tf.data.Dataset`, `Examples`, a data frame, or
            the name of a TFDS data set.
        text: The column of the texts.
        target: The column to predict.
        problem_type: Of a table: "regression" or "classification"; None: inferred.
        class_names: Of all classes, in the order of their indices; None: inferred.
        split: Of a TFDS data set.
    """

    data: Any
    text: str | None = None
    target: str | None = None
    problem_type: ProblemType | None = None
    class_names: Sequence[str] | None = None
    split: str = "train"

    @property
    def path(self) -> Path | None:
        """The path of a file or folder, existing or not; None of anything else."""
        data = self.data
        if isinstance(data, os.PathLike):
            return local_path(data)
        if not isinstance(data, str) or data.startswith(TFDS_PREFIX):
            return None
        if not data.strip():
            raise DataError(f"expected a file, a folder or a data set's name; received {data!r}")
        path = local_path(data)
        return None if not path.exists() and _is_dataset_name(data) else path


def _is_dataset_name(name: str) -> bool:
    """Return whether a string can be a TFDS name, also with a configuration and a version."""
    match = _TFDS_NAME.fullmatch(name)
    if match is None:
        return False
    return match["dataset"] == name or datasets.is_known(match["dataset"])
