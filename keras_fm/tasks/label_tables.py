"""The labels of an export, read from `labels.txt`, which becomes an asset of the SavedModel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import lookup_tables


def by_index(folder: Path, labels: Sequence[str]) -> tf.lookup.StaticHashTable:
    """Build a table from int64 indices to labels."""
    return lookup_tables.line_of_index(_write(folder, labels))


def by_label(folder: Path, labels: Sequence[str]) -> tf.lookup.StaticHashTable:
    """Build a table from labels to int64 indices; -1 for any other string."""
    return lookup_tables.index_of_line(_write(folder, labels))


def _write(folder: Path, labels: Sequence[str]) -> Path:
    file = folder / "labels.txt"
    file.write_text("".join(f"{label}\n" for label in labels), "utf-8")
    return file
