"""Long texts: characters, their indices in a vocabulary, and windows for evaluation."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_fm.data.examples import Examples, character_examples
from keras_fm.errors import DataError
from keras_fm.file_errors import unreadable_file
from keras_fm.files import local_path
from keras_fm.formatting import format_count

UNKNOWN_ID = 0  # of every character that is not in the vocabulary
# Size of the vocabulary of a user's text at most: the softmax is over all of it.
MAX_CHARACTERS = 1000
MIN_LINE_LENGTH = 20  # of a line by which a text is found again: shorter ones recur in other texts


def read_text_file(path: str | os.PathLike[str]) -> Examples:
    """Read a text file as examples of characters; bytes that are not UTF-8 become U+FFFD.

    Raises:
        DataError: The file can't be read, or has fewer than two characters.
    """
    path = local_path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise DataError(unreadable_file(path, error)) from None
    if len(text) < 2:
        raise DataError(
            f"{path}: expected a text to learn from; it has {format_count(len(text), 'character')}"
        )
    return character_examples(text, str(path))


def concatenate_texts(examples: Examples) -> Examples:
    """Join many texts, UTF-8, into the characters of one, with a blank line between them.

    `<br />`, a line break in HTML, becomes one.
    """
    text = b"\n\n".join(map(bytes, examples.inputs)).decode("utf-8", "replace")
    return character_examples(text.replace("<br />", "\n"), examples.description)


def long_lines(examples: Examples) -> np.ndarray:
    """Return the lines of a text that have `MIN_LINE_LENGTH` characters, an object array."""
    codes = np.asarray(examples.inputs, "<u4")
    lines = [line.strip() for line in codes.tobytes().decode("utf-32-le", "replace").splitlines()]
    lines = [line for line in lines if len(line) >= MIN_LINE_LENGTH]
    array = np.empty(len(lines), object)
    array[:] = lines
    return array


def character_vocabulary(examples: Examples) -> list[str]:
    """List the characters that occur twice or more, by their code points.

    Nothing can be learned about a character that occurs once. Of more than `MAX_CHARACTERS` the
    most frequent ones stay.
    """
    codes, counts = np.unique(examples.inputs, return_counts=True)
    by_frequency = np.argsort(-counts, kind="stable")[:MAX_CHARACTERS]
    frequent = [index for index in by_frequency if counts[index] > 1]
    return [chr(code) for code in sorted(codes[frequent])]


def encode_characters(vocabulary: Sequence[str], codes: np.ndarray) -> np.ndarray:
    """Convert code points to indices, int32: 1 for the first of the vocabulary, 0 for unknown."""
    known_codes = np.array([ord(character) for character in vocabulary])
    order = np.argsort(known_codes)
    ranks = np.searchsorted(known_codes[order], codes)
    ranks = np.minimum(ranks, len(known_codes) - 1)
    is_known = known_codes[order][ranks] == codes
    return np.where(is_known, order[ranks] + 1, UNKNOWN_ID).astype("int32")


@dataclass(frozen=True)
class EvalWindows:
    """Windows of a text that score each character once.

    The first characters of a window are context alone; as many behind them are scored. The windows
    overlap, so that each character has `context` or more characters before it, but for those at the
    beginning of the text.

    Attributes:
        inputs: Character indices `[windows, length]`.
        targets: The indices of the next characters `[windows, length]`.
        weights: 1 where a target is scored, else 0, float32 `[windows, length]`.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @classmethod
    def from_arrays(cls, inputs: np.ndarray, targets: np.ndarray, context: int) -> "EvalWindows":
        """Cut a text into windows of `2 * context` characters, or one of a shorter text.

        Args:
            inputs: Character indices `[characters]`.
            targets: The indices of the next characters `[characters]`.
            context: How many characters before it a prediction has at least.
        """
        length = min(2 * context, len(inputs))
        starts = np.minimum(np.arange(0, len(inputs) - context, context), len(inputs) - length)
        starts = starts if len(starts) else np.zeros(1, int)
        positions = starts[:, None] + np.arange(length)
        # Where the previous window ends, which has scored everything up to there.
        previous_ends = np.concatenate([[0], starts[:-1] + length])
        weights = (positions >= previous_ends[:, None]).astype("float32")
        return cls(inputs[positions], targets[positions], weights)
