"""Texts as a user has them: strings, bytes, columns of texts, or files.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.file_errors import missing_file, unreadable_file
from keras_fm.files import local_path
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.tables.files import read_table

_EXPECTED = "expected one text (str) or several"
_MAX_NAME = 255  # characters that a file's name can have
_MAX_TYPED = 100  # texts that a user may have typed; more come from data
# What a text without a blank can hardly end in, but the name of a file does.
_FILE_SUFFIXES = frozenset((
    ".txt", ".text", ".md", ".log", ".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".json",
    ".xlsx", ".xls", ".pdf", ".doc", ".docx", ".html", ".zip", ".gz", ".jpg", ".jpeg", ".png",
))  # fmt: skip
# Files of rows, of which one column holds the texts.
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".json")


def read_texts(inputs: Any) -> np.ndarray:
    """Encode a text or several as UTF-8, an object array of bytes `[texts]`.

    Args:
        inputs: As `list_texts` takes them.

    Raises:
        InvalidInputError: An item is no text, or there is none.
    """
    texts = list_texts(inputs)
    encoded = np.empty(len(texts), object)
    encoded[:] = [*map(encode_text, texts)]
    return encoded


def encode_text(text: str | bytes) -> bytes:
    """Encode a text as UTF-8; a lone surrogate, which has none, as bytes that count as unknown."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def list_texts(inputs: Any) -> list[str | bytes]:
    """List a text or several.

    Args:
        inputs: `str` or UTF-8 bytes; a list, an array, a tensor or a column of them; a data frame
            of one column; or the `pathlib.Path` of a file, see `read_file`, or a list of these.

    Raises:
        InvalidInputError: An item is no text, or there is none.
    """
    texts: list[str | bytes] = []
    items = _to_items(inputs)
    is_typed = isinstance(inputs, (str, list, tuple)) and len(items) <= _MAX_TYPED
    for position, item in enumerate(items):
        if isinstance(item, os.PathLike):
            texts += read_file(item)
        elif not isinstance(item, (str, bytes)):
            raise InvalidInputError(
                f"{_EXPECTED}; received {_describe(item)} at position {position}"
            )
        else:
            if isinstance(item, str):
                check_no_file_name(item, is_typed=is_typed)
            texts.append(item)
    if not texts:
        raise InvalidInputError(f"{_EXPECTED}; received an empty list")
    return texts


def read_file(path: str | os.PathLike[str], column: str | None = None) -> list[str]:
    """Read the texts of a file: the rows of a table's column, or else one text, all of it.

    Args:
        path: A CSV file or another table; any other file is a text in UTF-8.
        column: Of a table, the one of the texts; None for the only one of strings.

    Raises:
        InvalidInputError: It can't be read, or the column is not clear.
    """
    path = local_path(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        if column is not None:
            raise InvalidInputError(f"a column of texts is that of a table; received {path}")
        return [_read_text(path)]
    frame = read_table(path)
    strings = [name for name, cells in frame.items() if cells.dtype.kind not in "iufbM"]
    if column is None and len(strings) == 1:
        column = strings[0]
    if column is None or column not in frame:
        problem = "has several columns" if column is None else f"has no column {column!r}"
        raise InvalidInputError(
            f"{path} {problem}: say which one holds the texts, as pandas.read_csv({str(path)!r})"
            f"['COLUMN'] or by --text. Known: {', '.join(map(str, frame.columns))}."
        )
    return [str(text) for text in frame[column].fillna("")]


def check_text_inputs(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    """Check what a user typed as texts or files of them, as a codec's `check`.

    Raises:
        InvalidInputError: A file is not there.
    """
    for item in _to_items(inputs):
        if isinstance(item, str):
            check_no_file_name(item)
        elif isinstance(item, os.PathLike) and not local_path(item).exists():
            raise InvalidInputError(missing_file(item))


def check_no_file_name(text: str, *, is_typed: bool = True) -> None:
    """Check that a text is not the name of a file.

    Args:
        text: The text.
        is_typed: Whether it may also not look like the name of one that is not there. Among many
            texts of a data set such a word is no mistake.

    Raises:
        InvalidInputError: It is, or names a folder.
    """
    if is_file_name(text):
        raise InvalidInputError(
            f"{text!r} is the name of a file: pass pathlib.Path({text!r}) to read it, or its text"
        )
    if not is_typed or len(text) > _MAX_NAME or any(map(str.isspace, text)):
        return
    if "/" in text and os.path.isdir(os.path.expanduser(text)):
        raise InvalidInputError(f"{text!r} is a folder; expected texts, or the files in it")
    if _looks_like_path(text):
        raise InvalidInputError(
            f"expected a text, or a file that exists (a text that looks like the path of one: as "
            f"bytes): {missing_file(text)}"
        )


def _looks_like_path(word: str) -> bool:
    """Return whether a word begins or ends as a path does; `https://host/page.html` may be text."""
    is_named = os.path.splitext(word)[1].lower() in _FILE_SUFFIXES
    return "://" not in word and (is_named or word.startswith(("./", "../", "~/")))


def is_file_name(text: str) -> bool:
    """Return whether a string is the name of a file that exists, with a suffix."""
    if len(text) > _MAX_NAME or "\0" in text or "\n" in text or not os.path.splitext(text)[1]:
        return False
    return os.path.isfile(os.path.expanduser(text))


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(
            f"{path} is no text in UTF-8: save it as UTF-8, or pass its text"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise InvalidInputError(unreadable_file(path, error)) from None


def _to_items(inputs: Any) -> list[Any]:
    """List what was passed as one input or several; refuse what has other contents than texts."""
    if isinstance(inputs, (str, bytes, os.PathLike)):
        return [inputs]
    if isinstance(inputs, Mapping):
        names = ", ".join(map(repr, inputs))
        raise InvalidInputError(f"{_EXPECTED}; received a dict of {names}: pass its texts alone")
    if hasattr(inputs, "columns") and (frame := array_likes.as_frame(inputs)) is not None:
        if len(frame.columns) != 1:
            names = ", ".join(map(repr, frame.columns))
            raise InvalidInputError(
                f"{_EXPECTED}; received a data frame of {names}: pass the column of the texts alone"
            )
        return list(frame.iloc[:, 0])
    inputs = array_likes.to_scalar(inputs)
    if isinstance(inputs, (str, bytes)):
        return [inputs]
    if not isinstance(inputs, Iterable) or isinstance(inputs, io.IOBase):
        raise InvalidInputError(f"{_EXPECTED}; received {_describe(inputs)}")
    items = array_likes.to_list(inputs if hasattr(inputs, "__len__") else list(inputs))
    if isinstance(items, np.ndarray) and items.ndim > 1:
        raise InvalidInputError(f"{_EXPECTED}; received an array of the shape {items.shape}")
    return list(items)


def _describe(value: Any) -> str:
    name = type(value).__name__
    return name if value is None else f"{name} {value!r:.50}"
