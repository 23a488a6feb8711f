"""Texts of the user's own: a folder with a folder for each class, a CSV file, or strings."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.data import user_data, user_images
from keras_fm.data.user_data import DataNotes, RawExamples, UserData
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.preprocessing import table_inputs

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {".txt"}
_NUMBER = re.compile(rb"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def read_user_texts(source: UserData) -> RawExamples:
    """The texts of a CSV file, a data frame, the files in a folder for each class, or strings.

    Raises:
        DataError: it can't be read, or has no such columns.
        InvalidInputError: which columns are meant is not said and not clear.
    """
    import pandas as pd

    path = source.path
    if isinstance(source.data, pd.DataFrame):
        return _of_table(source.data, source, f"a data frame of {len(source.data):,} rows")
    if path is None:
        return user_data.read_arrays(source, rank=0)
    if not path.is_dir():
        return _of_table(table_inputs.read_csv(path), source, str(path))
    if source.text is not None or source.target is not None:
        raise InvalidInputError(f"text and target are columns of a CSV file; {path} is a folder")
    given = user_images.read_folder(path, SUFFIXES, "texts")
    return replace(given, inputs=[_content(file) for file in given.inputs])


def _of_table(frame: "pd.DataFrame", source: UserData, origin: str) -> RawExamples:
    """The same of a table with a column of texts and one of their classes."""
    frame = table_inputs.with_string_names(frame, origin)
    target, text = _columns(frame, source, origin)
    texts = frame[text]
    if texts.dtype.kind in "iufb":
        raise DataError(f"{origin}: expected texts in {text!r}; received {texts.dtype.name}")
    origin = f"{origin}: {len(frame):,} texts, column {text!r}; classes, column {target!r}"
    return RawExamples(list(texts), list(frame[target]), origin, notes=DataNotes())


def fit_texts(given: RawExamples) -> tuple[np.ndarray, np.ndarray]:
    """Texts as bytes, and which of them there are: empty ones and what is no text is left out.

    Texts that are numbers, and those that are not UTF-8, stay and are told.

    Raises:
        DataError: none is left, or all of them are numbers.
    """
    if not len(given.inputs):
        raise DataError(f"{given.origin}: nothing can be learned from 0 texts")
    texts = [_bytes(item) for item in given.inputs]
    kept = np.array([bool(text) for text in texts])
    if not kept.any():
        first = given.inputs[0]
        raise DataError(
            f"{given.origin}: expected texts; received {type(first).__name__} {first!r:.50}"
        )
    missing = len(texts) - int(kept.sum())
    if missing:
        given.notes.warn(
            f"{missing:,} of {len(texts):,} texts are empty or no texts, and are left out"
        )
    found = np.empty(int(kept.sum()), object)
    found[:] = [text for text in texts if text]
    _tell_odd(found, given)
    return found, kept


def _tell_odd(texts: np.ndarray, given: RawExamples) -> None:
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    if len(numbers) == len(texts):
        raise DataError(f"{given.origin}: expected texts; received numbers, such as {numbers[0]!r}")
    if numbers:
        given.notes.warn(
            f"{len(numbers):,} of {len(texts):,} texts are numbers, such as {numbers[0]!r}"
        )
    others = [text for text in texts if not _is_utf8(text)]
    if others:
        given.notes.warn(
            f"{len(others):,} of {len(texts):,} texts are not UTF-8, such as {others[0]!r:.40}: "
            "what can't be read in them counts as unknown"
        )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # `fit` counts it


def _bytes(item: Any) -> bytes:
    """UTF-8; nothing for what is no text. A file's mark of its byte order is no part of it.

    A zero byte is in no text, but in those of 16 bits a letter and in what is no text at all.
    """
    if not isinstance(item, (str, bytes)):
        return b""
    # A lone surrogate has no UTF-8: it becomes bytes that count as unknown.
    raw = item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item
    return b"" if b"\0" in raw else raw.removeprefix(b"\xef\xbb\xbf").strip()


def _columns(frame: "pd.DataFrame", source: UserData, origin: str) -> tuple[str, str]:
    """The columns of the classes and of the texts: those that were named, or the only others."""
    target, text = (None if x is None else str(x) for x in (source.target, source.text))
    for name in (target, text):
        if name is not None and name not in frame:
            raise DataError(
                f"{origin} has no column {name!r}. {suggest(name, frame.columns)}"
                f"{table_inputs.separator_hint(frame.columns)}"
            )
    if target is None:
        target = _only([name for name in frame if name != text], "target", origin)
    if text is None:
        others = [name for name in frame if name != target]
        wordy = [name for name in others if frame[name].dtype.kind not in "iufb"]
        text = _only(wordy if len(wordy) == 1 else others, "text", origin)
    if text == target:
        raise InvalidInputError(f"text and target are both the column {text!r} of {origin}")
    return target, text


def _only(names: list[str], option: str, origin: str) -> str:
    if len(names) != 1:
        meaning = {"text": "holds the texts", "target": "names their classes"}[option]
        raise InvalidInputError(
            f"say which column of {origin} {meaning}: {option}=, or --{option}. "
            f"Known: {', '.join(names) or 'none'}.{table_inputs.separator_hint(names)}"
        )
    return names[0]
