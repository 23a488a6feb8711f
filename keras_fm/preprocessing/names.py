"""Names of raw inputs, by which their predictions are shown."""

import os
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.images.inputs import list_items
from keras_fm.store.urls import is_url, without_secrets


def names_of(inputs: Any, count: int) -> list[str]:
    """Return the names of so many inputs: paths, addresses and texts, of others their numbers."""
    items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if any(isinstance(item, (str, os.PathLike)) and _is_folder(item) for item in items):
        try:
            items = list_items(items)
        except InvalidInputError:  # a text that has the name of a folder
            items = list(items)
    if len(items) != count:
        return [str(index) for index in range(count)]
    return [_name(item, index) for index, item in enumerate(items)]


def _name(item: Any, index: int) -> str:
    if not isinstance(item, (str, os.PathLike)):
        return str(index)
    name = os.fsdecode(item)
    return without_secrets(name) if is_url(name) else name


def _is_folder(item: str | os.PathLike[str]) -> bool:
    return os.path.isdir(os.path.expanduser(os.fsdecode(item)))
