"""A table's columns: their kinds, and their names in signatures and in models.

Those in signatures are plain ones, which a client finds again by itself.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from keras_fm.errors import InvalidInputError
from keras_fm.registry.entry import Input

Columns = Sequence[Input]

# Names of layers in table models. All names in a Keras model differ, and an input's is its key: so
# the input of a column of such a name is called otherwise.
LAYER_NAMES = re.compile(
    "numeric|normalization|impute_missing|piecewise_linear|numeric_embedding|numeric_flatten|"
    "features|member_inputs|dense[0-9]+|embedding|standardized|member_features|members|mean|scale|"
    "exponential|rescaling|value|logits"
)
EMBEDDING_NAME = "{}_embedding"  # of the layer that embeds a categorical column
_HASH_DIGITS = 6


def numeric_columns(columns: Columns) -> list[Input]:
    """Select the numeric columns."""
    return [column for column in columns if column.dtype != "string"]


def categorical_columns(columns: Columns) -> list[Input]:
    """Select the categorical columns."""
    return [
        column
        for column in columns
        if column.dtype == "string" and not is_parsed(column) and column.hash_buckets is None
    ]


def text_columns(columns: Columns) -> list[Input]:
    """Select the columns of texts, whose words are hashed."""
    return [column for column in columns if column.hash_buckets is not None]


def parsed_columns(columns: Columns) -> list[Input]:
    """Select the columns of strings that are parsed: dates, durations, numbers with a sign."""
    return [column for column in columns if is_parsed(column)]


def is_parsed(column: Input) -> bool:
    """Return whether the strings of a column are parsed."""
    return column.dates is not None or bool(column.unit)


def plain_names(columns: Columns) -> dict[str, str]:
    """Map each column's name to that of a signature's input; see `sanitized_names`."""
    return sanitized_names(column.name for column in columns)


def input_names(columns: Columns) -> dict[str, str]:
    """Map each column's name to that of the model's input: sanitized, and not that of a layer.

    A column `logits`, say, or `size_cell` beside a column `size`, has an input of another name.
    """
    sanitized = plain_names(columns)
    layer_names = {
        form.format(name)
        for name in sanitized.values()
        for form in ("{}_cell", "{}_one_hot", "{}_counts", "{}_words", EMBEDDING_NAME)
    }
    names: dict[str, str] = {}
    for column, name in sanitized.items():
        if name in layer_names or LAYER_NAMES.fullmatch(name):
            taken = {*layer_names, *sanitized.values(), *names.values()}
            name = unique_name(f"{name}_column", taken)
        names[column] = name
    return names


def unique_name(name: str, taken: Collection[str]) -> str:
    """Append underscores to a name until it is none of those taken."""
    while name in taken:
        name += "_"
    return name


def _sanitized_name(name: str) -> str:
    """Sanitize the name of a column; several columns can become the same.

    ASCII letters, digits and underscores, a letter first: what signatures and layers can have.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    # TensorFlow calls a signature by keywords, and has a `self` of its own.
    return name if name[:1].isalpha() and name.lower() != "self" else f"column_{name}"


def sanitized_names(names: Iterable[str]) -> dict[str, str]:
    """Map each column's name to a sanitized one, all different whatever their case.

    A signature's names lose their case. Where several become the same, such as all of three
    Chinese characters, each ends in a hash of the name, which depends on no other column.
    """
    names = list(dict.fromkeys(names))
    counts = Counter(_sanitized_name(name).lower() for name in names)
    return {
        name: _hashed_name(name) if counts[_sanitized_name(name).lower()] > 1 else plain
        for name, plain in zip(names, map(_sanitized_name, names), strict=True)
    }


def find_column(sanitized: str, names: Iterable[str]) -> str | None:
    """Find the column that a signature calls by a sanitized name.

    Args:
        sanitized: The name in the signature.
        names: The columns that there are; one that is called as in the signature is meant.

    Returns:
        The column's name; None where there is none.

    Raises:
        InvalidInputError: Several could be meant.
    """
    names = list(names)
    if sanitized in names:
        return sanitized
    matches = [name for name in names if _hashed_name(name) == sanitized]
    matches = matches or [name for name in names if _sanitized_name(name) == sanitized]
    if len(matches) > 1:
        raise InvalidInputError(
            f"columns {' and '.join(map(repr, matches))} could both be {sanitized!r} of the "
            "server: leave out those that the model does not know"
        )
    return matches[0] if matches else None


def _hashed_name(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_sanitized_name(name)}_{digest[:_HASH_DIGITS]}"
