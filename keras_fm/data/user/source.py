"""Where a user's data is, and what the user says of it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError
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


def check_source(source: UserData, group: str | None) -> None:
    """Check where the data is, and what the user says of it, before anything is read.

    Args:
        source: The user's data.
        group: Of the tasks of the model: "images", "texts" or "tables"; None where that is unknown,
            or the model is none that is fine-tuned.

    Raises:
        DataError: There is no such file or folder.
        InvalidInputError: An option is for data of another kind.
    """
    columns = {"text": source.text, "target": source.target}
    options = {**columns, "problem_type": source.problem_type}
    if group == "images" and any(value is not None for value in options.values()):
        raise InvalidInputError(
            "text, target and problem_type are for a CSV file or a table; images have none"
        )
    if group == "tables" and source.text is not None:
        raise InvalidInputError(
            f"text is the column of the texts, for a model of texts; received {source.text!r} for "
            "a model of tables"
        )
    path = source.path
    if path is None:
        if isinstance(source.data, str) and datasets.is_surely_unknown(source.data):
            raise DataError(
                "there is no such file or folder here, and TensorFlow Datasets has no data set "
                f"{source.data!r}; received {source.data!r}"
            )
        return
    if not path.exists():
        if path.suffix:
            raise DataError(f"{path} can't be read: there is no such file")
        is_folder = group == "images"
        expected = "a folder with a folder of images a class" if is_folder else "a file or folder"
        raise DataError(f"{path} is not there; expected {expected}")
    if path.is_dir() and any(value is not None for value in columns.values()):
        raise InvalidInputError(f"text and target are columns of a CSV file; {path} is a folder")


def _is_dataset_name(name: str) -> bool:
    """Return whether a string can be a TFDS name, also with a configuration and a version."""
    match = _TFDS_NAME.fullmatch(name)
    if match is None:
        return False
    return match["dataset"] == name or datasets.is_known(match["dataset"])
