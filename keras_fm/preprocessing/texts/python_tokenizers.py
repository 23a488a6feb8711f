"""The tokenizers of `tokenizers` in Python, for a training where TensorFlow is not installed.

They return the same token IDs, but for words with characters that Python's version of Unicode does
not know: Python 3.11 has Unicode 14, TensorFlow 2.21 has 15.
"""

import codecs
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from keras_fm.preprocessing.texts import wordpiece
from keras_fm.preprocessing.texts.vocabulary import UNK_ID, token_names

Item = TypeVar("Item")

_BLANKS = re.compile(r"[\0-\x20]+")  # Python's `split` would know more
_TAGS = re.compile(wordpiece.TAGS)
_SPACES = re.compile(wordpiece.character_class(wordpiece.SPACE_RANGES, r"\U{:08x}"))
_SYMBOLS = re.compile(wordpiece.character_class(wordpiece.SYMBOL_RANGES, r"\U{:08x}"))
_UNDECODABLE = "keras_fm.blank"  # an error handler: bytes that are not UTF-8 count as a space

codecs.register_error(_UNDECODABLE, lambda error: (" ", getattr(error, "end", 0)))


class PythonTokenizer(ABC):
    """Tokenizer by a vocabulary file; what it finds for a word, it keeps."""

    def __init__(self, file: Path) -> None:
        """Create the tokenizer of a vocabulary file."""
        self._known: dict[str, tuple[int, ...]] = {}
        self.ids = {token: token_id for token_id, token in enumerate(self.tokens(file))}

    @abstractmethod
    def tokens(self, file: Path) -> list[str]:
        """Return the token of each ID."""

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """Split a text into words."""

    @abstractmethod
    def ids_of_word(self, word: str) -> tuple[int, ...]:
        """Return the IDs of a word's tokens."""

    def token_ids(self, text: bytes | str, max_length: int) -> np.ndarray:
        """Return the token IDs of a text, int32 `[tokens]`; see `tokenizers`."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", _UNDECODABLE)
        else:
            text = text.encode("utf-8", "surrogatepass").decode("utf-8", _UNDECODABLE)
        return np.array(self.ids_of_words(self.split(text), max_length), "int32")

    @abstractmethod
    def ids_of_words(self, words: list[str], max_length: int) -> list[int]:
        """Return the IDs of all tokens of a text that are kept."""

    def lookup(self, words: Sequence[str]) -> list[int]:
        """Return the IDs of the tokens of words, one word after the other."""
        token_ids: list[int] = []
        for word in words:
            ids = self._known.get(word)
            if ids is None:
                ids = self._known[word] = self.ids_of_word(word)
            token_ids += ids
        return token_ids


class PythonWordTokenizer(PythonTokenizer):
    """See `tokenizers.WordTokenizer`."""

    def tokens(self, file: Path) -> list[str]:
        """Return the token of each ID."""
        return token_names(file, "words")

    def split(self, text: str) -> list[str]:
        """Split a text into lower-case words and symbols."""
        text = _TAGS.sub(" ", _BLANKS.sub(_as_many_blanks, text).lower())
        return "".join(map(_spaced, text)).split(" ")

    def ids_of_word(self, word: str) -> tuple[int, ...]:
        """Return the ID of a word, none of the empty one between two blanks."""
        return (self.ids.get(word, UNK_ID),) if word else ()

    def ids_of_words(self, words: list[str], max_length: int) -> list[int]:
        """Return the IDs of the first and the last half of the words; of no words, one unknown."""
        return truncate_middle(self.lookup(words) or [UNK_ID], max_length)


class PythonWordPieceTokenizer(PythonTokenizer):
    """See `tokenizers.WordPieceTokenizer`."""

    def __init__(self, file: Path) -> None:
        """Create the tokenizer of a vocabulary file."""
        super().__init__(file)
        self.max_token_length = max(map(len, self.ids))

    def tokens(self, file: Path) -> list[str]:
        """Return the token of each ID."""
        return token_names(file, "wordpiece")

    def split(self, text: str) -> list[str]:
        """Split a text into lower-case words and symbols."""
        text = _TAGS.sub(" ", _SPACES.sub(" ", text).lower())
        return _SYMBOLS.sub(r" \g<0> ", text).split()

    def ids_of_word(self, word: str) -> tuple[int, ...]:
        """Return the IDs of the longest tokens from the beginning on, or the unknown one."""
        unknown = (self.ids[wordpiece.UNK_TOKEN],)
        if len(word) > wordpiece.MAX_WORD_LENGTH:
            return unknown
        token_ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = wordpiece.CONTINUATION_PREFIX if start else ""
            for end in range(min(len(word), start + self.max_token_length), start, -1):
                token_id = self.ids.get(prefix + word[start:end])
                if token_id is not None:
                    break
            else:
                return unknown
            token_ids.append(token_id)
            start = end
        return tuple(token_ids)

    def ids_of_words(self, words: list[str], max_length: int) -> list[int]:
        """Return the IDs of the first and the last half of the tokens, in their frame."""
        inner = self.lookup(truncate_middle(words, 2 * max_length))
        begin, end = self.ids[wordpiece.CLS_TOKEN], self.ids[wordpiece.SEP_TOKEN]
        return [begin, *truncate_middle(inner, max_length - 2), end]


def truncate_middle(items: list[Item], max_length: int) -> list[Item]:
    """Drop the middle of a list of more than `max_length` items."""
    if len(items) <= max_length:
        return items
    return items[: (max_length + 1) // 2] + items[len(items) - max_length // 2 :]


def _as_many_blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


@cache
def _spaced(character: str) -> str:
    """Return a character of a word as it is, any other one with blanks around it."""
    is_word = character == "'" or unicodedata.category(character)[0] in "LMN"
    return character if is_word or character == " " else f" {character} "
