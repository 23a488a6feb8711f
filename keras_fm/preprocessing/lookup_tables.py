"""Lookup tables in a graph, from a file, which becomes an asset of an export, or from a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_fm.lazy_imports import tf

_WHOLE_LINE, _LINE_NUMBER = -2, -1  # as `tf.lookup.TextFileIndex` has them


def index_of_line(file: Path, default: int = -1) -> tf.lookup.StaticHashTable:
    """Build a table from the lines of a file, strings, to their numbers from 0 on, int64.

    Args:
        file: UTF-8, all lines different.
        default: The value of any other string.
    """
    return _from_file(file, (tf.string, _WHOLE_LINE), (tf.int64, _LINE_NUMBER), default)


def line_of_index(file: Path, default: str = "") -> tf.lookup.StaticHashTable:
    """Build a table from the numbers of the lines of a file, int64, to the lines, strings.

    Args:
        file: UTF-8.
        default: The value of any other number.
    """
    return _from_file(file, (tf.int64, _LINE_NUMBER), (tf.string, _WHOLE_LINE), default)


def index_of_code(file: Path, default: int = -1) -> tf.lookup.StaticHashTable:
    """Build a table from the codes at the beginnings of lines, int64, to the lines' numbers, int64.

    Args:
        file: In each line a whole number, a tab, and what it stands for; all numbers different.
        default: The value of any other code.
    """
    return _from_file(file, (tf.int64, 0), (tf.int64, _LINE_NUMBER), default)


def code_of_index(file: Path, default: int) -> tf.lookup.StaticHashTable:
    """Build a table from the numbers of lines, int64, to the codes at their beginnings, int64.

    Args:
        file: In each line a whole number, a tab, and what it stands for.
        default: The value of any other line number.
    """
    return _from_file(file, (tf.int64, _LINE_NUMBER), (tf.int64, 0), default)


def index_of_string(
    strings: Sequence[str], first_index: int = 0, default: int = -1
) -> tf.lookup.StaticHashTable:
    """Build a table from the strings of a list to their indices, int64.

    Args:
        strings: One or more, all different.
        first_index: Of the first string.
        default: The value of any other string.
    """
    indices = tf.range(first_index, first_index + len(strings), dtype=tf.int64)
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(strings, tf.string), indices)
    return tf.lookup.StaticHashTable(pairs, default)


def _from_file(
    file: Path, key: tuple[tf.DType, int], value: tuple[tf.DType, int], default: int | str
) -> tf.lookup.StaticHashTable:
    lines = tf.lookup.TextFileInitializer(str(file), *key, *value, delimiter="\t")
    return tf.lookup.StaticHashTable(lines, default)
