"""Names of table columns in signatures: plain ones, which a client finds again by itself.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from keras_fm.errors import InvalidInputError

_HASH_DIGITS = 6


def sanitized_name(name: str) -> str:
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
    counts = Counter(sanitized_name(name).lower() for name in names)
    return {
        name: _hashed_name(name) if counts[sanitized_name(name).lower()] > 1 else plain
        for name, plain in zip(names, map(sanitized_name, names), strict=True)
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
    matches = matches or [name for name in names if sanitized_name(name) == sanitized]
    if len(matches) > 1:
        raise InvalidInputError(
            f"columns {' and '.join(map(repr, matches))} could both be {sanitized!r} of the "
            "server: leave out those that the model does not know"
        )
    return matches[0] if matches else None


def _hashed_name(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{sanitized_name(name)}_{digest[:_HASH_DIGITS]}"
