"""Where a user's data is, and what the user says of it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.file_errors import missing_file
from keras_fm.files import local_path
from keras_fm.preprocessing.tables.csv_files import separator_hint
from keras_fm.preprocessing.tables.headers import check_has_columns, column_names

ProblemType = Literal["regression", "classification"]

TFDS_PREFIX = "tfds:"
_TFDS_NAME = re.compile(r"(?P<dataset>[^/.:\\]+)(/[\w.+-]+)?(:[\w.*]+)?")


def describe_data(task_name: str, dataset: str) -> str:
    """Return what a model takes that is not fine-tuned, in a sentence."""
    if task_name == "text-generation":
        return "train and evaluate take a text file: data='book.txt', or --data book.txt"
    return (
        f"train and evaluate take its own data set, {dataset}, without data= (--data), and in "
        "Python keras_fm.data.Examples"
    )


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
        columns: Further columns of a table to evaluate on, by which metrics are sliced.
        text_buckets: Of a table: how many buckets the words of a column of free text are hashed to;
            0 leaves such columns out.
    """

    data: Any
    text: str | None = None
    target: str | None = None
    problem_type: ProblemType | None = None
    class_names: Sequence[str] | None = None
    split: str = "train"
    columns: Sequence[str] = ()
    text_buckets: int = 0

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
                f"TensorFlow Datasets has no data set {source.data!r}, and "
                f"{missing_file(source.data, 'file or folder')}"
            )
        return
    if not path.exists():
        if group == "images":
            raise DataError(
                f"expected a folder with a folder of images a class: {missing_file(path, 'folder')}"
            )
        raise DataError(missing_file(path, "file" if path.suffix else "file or folder"))
    if path.is_file() and group in ("texts", "tables"):
        check_has_columns(path, columns.values())
    if path.is_dir() and any(value is not None for value in columns.values()):
        raise InvalidInputError(f"text and target are columns of a CSV file; {path} is a folder")


def check_target(source: UserData, group: str | None) -> None:
    """Check that a user says which column of a CSV file to learn.

    Args:
        source: The user's data, to train on.
        group: As in `check_source`.

    Raises:
        InvalidInputError: It is not said, and does not follow from the columns.
    """
    path = source.path
    if path is None or source.target is not None or not path.is_file():
        return
    is_unclear = group == "tables" or (group == "texts" and source.text is None)
    names = column_names(path) if is_unclear else None
    if names:
        meaning = "to predict" if group == "tables" else "names the classes of its texts"
        raise InvalidInputError(
            f"say which column of {path} {meaning}: target=, or --target. "
            f"Known: {', '.join(names)}.{separator_hint(names)}"
        )


def _is_dataset_name(name: str) -> bool:
    """Return whether a string can be a TFDS name, also with a configuration and a version."""
    match = _TFDS_NAME.fullmatch(name)
    if match is None:
        return False
    return match["dataset"] == name or datasets.is_known(match["dataset"])
