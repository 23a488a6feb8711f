"""Texts of a user's own: a folder with a folder for each class, a CSV file, or strings."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.data.user.arrays import read_arrays
from keras_fm.data.user.folders import read_folder
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import UserData, check_source
from keras_fm.data.user.tables import inference
from keras_fm.data.user.tables.frames import check_has_column
from keras_fm.data.user.tables.further_columns import further_columns
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.formatting import choose_form, format_count, format_names
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.tables.csv_files import separator_hint
from keras_fm.preprocessing.tables.files import read_table
from keras_fm.preprocessing.tables.row_names import row_names, with_row_names
from keras_fm.preprocessing.texts.inputs import encode_text

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {".txt"}
_NUMBER = re.compile(rb"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def read_user_texts(source: UserData) -> RawExamples:
    """Read the texts of a CSV file, a data frame, a folder with a folder for each class, or arrays.

    Raises:
        DataError: It can't be read, or has no such columns.
        InvalidInputError: The user does not say which columns hold the texts and their classes, and
            it is not clear from the table.
    """
    frame = array_likes.as_frame(source.data)
    if frame is not None:
        return _from_table(frame, source, f"a data frame of {format_count(len(frame), 'row')}")
    path = source.path
    if path is None:
        return _from_arrays(source)
    if not path.is_dir():
        return _from_table(with_row_names(read_table(path), path), source, str(path))
    check_source(source, "texts")
    raw = read_folder(path, SUFFIXES, "texts")
    return replace(raw, inputs=[_read_bytes(file) for file in raw.inputs])


def _from_arrays(source: UserData) -> RawExamples:
    """Read texts in memory; those of a data frame are its only column."""
    raw = read_arrays(source, rank=0)
    frame = array_likes.as_frame(raw.inputs)
    if frame is None:
        return raw
    if len(frame.columns) != 1:
        raise DataError(
            f"{raw.description}: expected texts in one column; received a data frame of "
            f"{len(frame.columns)}: {', '.join(map(str, frame.columns))}"
        )
    return replace(raw, inputs=array_likes.to_list(frame.iloc[:, 0]))


def _from_table(frame: "pd.DataFrame", source: UserData, description: str) -> RawExamples:
    notes = DataNotes()
    frame = array_likes.with_string_names(frame, description)
    options = (source.text, source.target, *source.columns)
    named = {array_likes.column_name(x) for x in options if x is not None}
    frame = inference.drop_row_numbers(frame, notes, named)
    target, text = _column_names(frame, source, description)
    texts = frame[text]
    if texts.dtype.kind in "iufb":
        raise DataError(f"{description}: expected texts in {text!r}; received {texts.dtype.name}")
    description += (
        f": {format_count(len(frame), 'text')}, column {text!r}; classes, column {target!r}"
    )
    targets = array_likes.to_list(frame[target])
    return RawExamples(
        array_likes.to_list(texts),
        targets,
        description,
        notes=notes,
        names=row_names(texts.index),
        columns=further_columns(frame, source, description),
    )


def fit_texts(raw: RawExamples) -> tuple[np.ndarray, np.ndarray]:
    """Convert texts to bytes; leave out empty ones and what is no text.

    Texts that are numbers or not UTF-8 stay, with a warning.

    Returns:
        The texts, an object array of bytes `[texts]`; and a mask of the inputs that are texts.

    Raises:
        DataError: No input is a text, or all are numbers.
    """
    if not len(raw.inputs):
        raise DataError(f"{raw.description}: expected texts to learn from; received 0 texts")
    texts = [_to_bytes(item) for item in raw.inputs]
    mask = np.array([bool(text) for text in texts])
    if not mask.any():
        item = raw.inputs[0]
        raise DataError(
            f"{raw.description}: expected texts; received {type(item).__name__} {item!r:.50}"
        )
    num_texts = int(mask.sum())
    if num_texts < len(texts):
        num_others = len(texts) - num_texts
        are_empty = choose_form(num_others, "is empty or no text", "are empty or no texts")
        raw.notes.warn(
            f"{num_others:,} of {format_count(len(texts), 'text')} {are_empty}, and "
            f"{choose_form(num_others, 'is', 'are')} left out: "
            f"{format_names(raw.names_of(~mask))}"
        )
    present = np.empty(num_texts, object)
    present[:] = [text for text in texts if text]
    _warn_unusual(present, raw, raw.names_of(mask))
    return present, mask


def _warn_unusual(texts: np.ndarray, raw: RawExamples, names: Sequence[str]) -> None:
    """Warn of texts that are numbers or not UTF-8."""
    numbers = [index for index, text in enumerate(texts) if _NUMBER.fullmatch(text)]
    if len(numbers) == len(texts):
        raise DataError(
            f"{raw.description}: expected texts; received numbers, such as "
            f"{texts[0].decode()!r:.40}"
        )
    if numbers:
        shown = [f"{texts[index].decode()!r:.40} ({names[index]})" for index in numbers]
        raw.notes.warn(
            f"{len(numbers):,} of {format_count(len(texts), 'text')} "
            f"{choose_form(len(numbers), 'is a number', 'are numbers')}: {format_names(shown)}"
        )
    not_utf8 = [index for index, text in enumerate(texts) if not _is_utf8(text)]
    if not_utf8:
        raw.notes.warn(
            f"{len(not_utf8):,} of {format_count(len(texts), 'text')} "
            f"{choose_form(len(not_utf8), 'is', 'are')} not UTF-8: "
            f"{format_names([names[index] for index in not_utf8])}; bytes that can't be read count "
            "as unknown characters"
        )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # `fit_texts` counts it


def _to_bytes(item: Any) -> bytes:
    r"""Encode a text as UTF-8 without the byte order mark of a file; return b"" of anything else.

    No text has a zero byte: UTF-16 and binary files do.
    """
    if not isinstance(item, (str, bytes)):
        return b""
    raw = encode_text(item)
    return b"" if b"\0" in raw else raw.removeprefix(b"\xef\xbb\xbf").strip()


def _column_names(frame: "pd.DataFrame", source: UserData, description: str) -> tuple[str, str]:
    """Return the columns of the classes and of the texts: as the user says, or the only ones."""
    target, text = (
        None if x is None else array_likes.column_name(x) for x in (source.target, source.text)
    )
    for name in (target, text):
        if name is not None:
            check_has_column(frame, name, description)
    if target is None:
        candidates = [name for name in frame if name != text]
        target = _only_column(candidates, "target", description)
    if text is None:
        candidates = [name for name in frame if name != target]
        strings = [name for name in candidates if frame[name].dtype.kind not in "iufb"]
        text = _only_column(strings if len(strings) == 1 else candidates, "text", description)
    if text == target:
        raise InvalidInputError(f"text and target are both the column {text!r} of {description}")
    return target, text


def _only_column(candidates: list[str], option: str, description: str) -> str:
    if len(candidates) != 1:
        meaning = {"text": "holds the texts", "target": "names their classes"}[option]
        raise InvalidInputError(
            f"say which column of {description} {meaning}: {option}=, or --{option}. "
            f"Known: {', '.join(candidates) or 'none'}."
            f"{separator_hint(candidates)}"
        )
    return candidates[0]
