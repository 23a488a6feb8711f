"""Images, texts in files of their own, and texts themselves, a chunk at a time."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from keras_fm.batch_prediction.source import Chunk, Source
from keras_fm.data.user.folders import describe_other_files, list_files
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.file_errors import missing_file
from keras_fm.files import local_path
from keras_fm.formatting import format_names
from keras_fm.preprocessing.texts.inputs import encode_text, is_file_name, read_file

CHUNK_IMAGES = 256
CHUNK_TEXTS = 1000  # of which those of like length are predicted together


def open_images(items: Sequence[Any]) -> Source:
    """Open image files.

    Args:
        items: Their paths.

    Raises:
        InvalidInputError: A file is not there.
    """
    paths = [os.fspath(item) for item in items]
    for path in paths:
        if not local_path(path).exists():
            raise InvalidInputError(
                f"expected images, or folders of images: {missing_file(path, 'file or folder')}"
            )
    return Source(len(paths), "image", _chunks("file", paths, list, CHUNK_IMAGES))


def open_texts(items: Sequence[Any]) -> Source:
    """Open texts, or else files of one text each.

    Args:
        items: Texts, or paths.

    Raises:
        InvalidInputError: There are texts among files.
    """
    files = [item for item in items if is_path(item)]
    if not files:
        texts = [item if isinstance(item, str) else str(item, "utf-8", "replace") for item in items]
        inputs_of = _encode
        return Source(len(texts), "text", _chunks("text", texts, inputs_of, CHUNK_TEXTS))
    if len(files) < len(items):
        item = next(item for item in items if not is_path(item))
        raise InvalidInputError(f"expected files of texts, or texts; received {item!r:.50} too")
    paths = [os.fspath(file) for file in files]
    return Source(len(paths), "text", _chunks("file", paths, _read_texts, CHUNK_TEXTS))


def is_path(item: Any) -> bool:
    """Return whether an item is a path, and not a text."""
    return isinstance(item, os.PathLike) or (isinstance(item, str) and is_file_name(item))


def expand_folder(folder: Path, suffixes: Set[str], noun: str) -> list[Path]:
    """Return the files in a folder and in its folders, sorted; others get a warning.

    Args:
        folder: The folder.
        suffixes: Of the files.
        noun: What they are, such as "images".

    Raises:
        DataError: There is none.
    """
    files = list_files(folder)
    matching = [file for file in files if file.suffix.lower() in suffixes]
    if not matching:
        raise DataError(
            f"{folder} holds no {noun}: expected files that end in "
            f"{format_names(sorted(suffixes), len(suffixes))}"
        )
    if len(matching) < len(files):
        sentence = describe_other_files(folder, files, suffixes, noun)
        warnings.warn(sentence, DataWarning, stacklevel=2)
    return matching


def _chunks(
    name: str, items: Sequence[str], inputs_of: Callable[[Sequence[str]], Any], size: int
) -> Iterator[Chunk]:
    import pandas as pd

    for start in range(0, len(items), size):
        some = items[start : start + size]
        yield Chunk(inputs_of(some), pd.DataFrame({name: [*some]}, dtype=object))


def _encode(texts: Sequence[str]) -> list[bytes]:
    """Encode texts: a string can be taken for the name of a file."""
    return [encode_text(text) for text in texts]


def _read_texts(paths: Sequence[str]) -> list[bytes]:
    return _encode([text for path in paths for text in read_file(path)])
