"""Corruptions of texts, which leave what a text says."""

from collections.abc import Callable

import numpy as np

# By severity, 1 to 5.
_TYPO_RATES = (0.01, 0.02, 0.04, 0.07, 0.1)  # of letters
_CASE_RATES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of words
# A tautology, as in the stress tests of Naik et al. 2018 (aclanthology.org/C18-1198): no reader is
# misled by it, but a model that counts negations is.
_TAUTOLOGY = " and false is not true"


def corrupt_texts(texts: np.ndarray, corruption: str, severity: int) -> np.ndarray:
    """Return texts with a corruption, the same each time.

    typos: Some letters are swapped with the next one, left out, or doubled.
    case: Some words are in capitals, at severity 5 all.
    negation: As many tautologies as the severity says stand at the end, "and false is not true".

    Args:
        texts: Bytes or strings `[texts]`.
        corruption: One of `names.CORRUPTIONS["texts"]`.
        severity: From 1 to 5.

    Returns:
        UTF-8 bytes `[texts]`.
    """
    random = np.random.default_rng(0)
    corrupted = np.empty(len(texts), object)
    corrupted[:] = [
        _FUNCTIONS[corruption](_to_string(text), severity, random).encode("utf-8", "replace")
        for text in texts
    ]
    return corrupted


def _typos(text: str, severity: int, random: np.random.Generator) -> str:
    characters = list(text)
    letters = [index for index, character in enumerate(characters) if character.isalpha()]
    is_typo = random.random(len(letters)) < _TYPO_RATES[severity - 1]
    kinds = random.integers(0, 3, len(letters))
    for index, kind in zip(np.array(letters, int)[is_typo], kinds[is_typo], strict=True):
        following = characters[index + 1 : index + 2]
        if kind == 0 and following and following[0].isalpha():
            characters[index : index + 2] = following[0], characters[index]
        elif kind == 1:
            characters[index] = ""
        else:
            characters[index] *= 2
    return "".join(characters)


def _case(text: str, severity: int, random: np.random.Generator) -> str:
    words = text.split(" ")
    is_upper = random.random(len(words)) < _CASE_RATES[severity - 1]
    return " ".join(
        word.upper() if upper else word for word, upper in zip(words, is_upper, strict=True)
    )


def _negation(text: str, severity: int, random: np.random.Generator) -> str:
    return text + _TAUTOLOGY * severity


def _to_string(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


_FUNCTIONS: dict[str, Callable[[str, int, np.random.Generator], str]] = {
    "typos": _typos,
    "case": _case,
    "negation": _negation,
}
