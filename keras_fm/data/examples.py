"""Examples in memory: the inputs and targets that models are trained and evaluated on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.errors import DataError

# An array, or a dict with one for each column of a table; the first axis counts the examples.
Inputs = Any


@dataclass(frozen=True)
class Examples:
    """Inputs and what a model is to answer to them, in memory.

    inputs: uint8 images `[examples, height, width, channels]`; texts `[examples]`, bytes; one
    long text's characters `[examples]`, int32 code points; or a table's columns by name, each
    `[examples]`, numbers or strings.
    targets: `[examples]`, the index of the class, the quantity, or the next character.
    origin: which data set and split they are, in words.
    """

    inputs: Inputs
    targets: np.ndarray
    origin: str

    def __len__(self) -> int:
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        return len(next(iter(columns)))

    def take(self, which: slice | np.ndarray, origin: str) -> "Examples":
        """Some of the examples; `origin` says which."""
        return Examples(take_rows(self.inputs, which), self.targets[which], origin)


def take_rows(inputs: Inputs, which: slice | np.ndarray) -> Inputs:
    """Some examples of one array, or of each column."""
    if isinstance(inputs, dict):
        return {name: column[which] for name, column in inputs.items()}
    return inputs[which]


def characters(text: str, origin: str) -> Examples:
    """One long text as examples: to each character the answer is the next one.

    So a text of `n` characters is `n - 1` examples, and each character but the first is answered.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").astype("int32")
    return Examples(codes[:-1], codes[1:], origin)


def split_validation(whole: Examples, count: int) -> tuple[Examples, Examples | None]:
    """Cuts the last `count` examples off, to choose on; None where `count` is 0."""
    if count == 0:
        return whole, None
    cut = len(whole) - count
    if cut <= 0:
        raise DataError(
            f"validation_examples is {count:,}, but {whole.origin} has only {len(whole):,} "
            "examples; leave some to train on"
        )
    return (
        whole.take(slice(cut), f"{whole.origin}, first {cut:,}"),
        whole.take(slice(cut, None), f"{whole.origin}, last {count:,}"),
    )
