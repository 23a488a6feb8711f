"""Long texts: characters and their numbers, and windows to measure on."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_fm.data.examples import Examples, characters
from keras_fm.errors import DataError

UNKNOWN_ID = 0  # the number of every character that the vocabulary does not have
# Known characters at most of a text of the user's own: the softmax is over all of them.
MAX_CHARACTERS = 1000


def read_text_file(path: str | os.PathLike[str]) -> Examples:
    """A text file's characters as examples; bytes that are not UTF-8 become U+FFFD.

    Raises:
        DataError: it can't be read, or has fewer than two characters.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    if len(text) < 2:
        raise DataError(f"{path}: expected a text to learn from; it has {len(text)} characters")
    return characters(text, str(path))


def concatenate_texts(examples: Examples) -> Examples:
    """Many texts, UTF-8, as the characters of one: a blank line between them.

    `<br />`, which stands in web pages for the end of a line, is one.
    """
    text = b"\n\n".join(map(bytes, examples.inputs)).decode("utf-8", "replace")
    return characters(text.replace("<br />", "\n"), examples.origin)


def character_vocabulary(examples: Examples) -> list[str]:
    """The characters that come twice or more, in the order of their code points.

    What comes once has nothing to be learned from; of very many, the most common are taken.
    """
    codes, counts = np.unique(examples.inputs, return_counts=True)
    often = np.argsort(-counts, kind="stable")[:MAX_CHARACTERS]
    return [chr(code) for code in sorted(codes[[i for i in often if counts[i] > 1]])]


def encode_characters(known: Sequence[str], codes: np.ndarray) -> np.ndarray:
    """Code points to numbers, int32: 1 for the first known character, 0 for what is unknown."""
    points = np.array([ord(character) for character in known])
    order = np.argsort(points)
    places = np.minimum(np.searchsorted(points[order], codes), len(points) - 1)
    found = points[order][places] == codes
    return np.where(found, order[places] + 1, UNKNOWN_ID).astype("int32")


@dataclass(frozen=True)
class EvalWindows:
    """A text cut into windows for measuring.

    A window is a context, which the model reads and is not scored on, and behind it as many
    characters that are. The windows overlap, so that each character is scored once, with `context`
    or more before it; those at the beginning with what there is.

    inputs, targets: numbers of characters, `[windows, length]`. scored: 1 where the answer counts,
    else 0, float32, of the same shape.
    """

    inputs: np.ndarray
    targets: np.ndarray
    scored: np.ndarray

    @classmethod
    def of(cls, numbers: np.ndarray, following: np.ndarray, context: int) -> "EvalWindows":
        """Cuts `[characters]` into windows of `2 * context`, or one of them all if they are few."""
        length = min(2 * context, len(numbers))
        starts = np.minimum(np.arange(0, len(numbers) - context, context), len(numbers) - length)
        starts = starts if len(starts) else np.zeros(1, int)
        places = starts[:, None] + np.arange(length)
        # What the windows before have scored; they end one after the other.
        done = np.concatenate([[0], starts[:-1] + length])
        scored = (places >= done[:, None]).astype("float32")
        return cls(numbers[places], following[places], scored)
