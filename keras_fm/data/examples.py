"""Examples in memory: the inputs and targets that models are trained and evaluated on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.errors import DataError

# An array, or a dict with an array for each column of a table; the first axis counts the examples.
Inputs = Any


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of a model, in memory.

    Attributes:
        inputs: uint8 images `[examples, height, width, channels]`; texts `[examples]`, bytes; the
            characters of one long text `[examples]`, int32 code points; or the columns of a table
            by name, each `[examples]`, numbers or strings.
        targets: `[examples]`: class indices, regression targets, or the next characters.
        description: The data set and the split, in words.
    """

    inputs: Inputs
    targets: np.ndarray
    description: str

    def __len__(self) -> int:
        """Return the number of examples."""
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        return len(next(iter(columns)))

    def subset(self, indices: slice | np.ndarray, description: str) -> "Examples":
        """Select some of the examples.

        Args:
            indices: A slice, indices, or a boolean mask.
            description: Of the subset.
        """
        return Examples(take_rows(self.inputs, indices), self.targets[indices], description)


def take_rows(inputs: Inputs, indices: slice | np.ndarray) -> Inputs:
    """Select some rows of an array, or of each column of a table."""
    if isinstance(inputs, dict):
        return {name: column[indices] for name, column in inputs.items()}
    return inputs[indices]


def character_examples(text: str, description: str) -> Examples:
    """Turn a text into examples for next-character prediction.

    The target of each character is the next one, so a text of `n` characters makes `n - 1`
    examples.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").astype("int32")
    return Examples(codes[:-1], codes[1:], description)


def split_validation(examples: Examples, count: int) -> tuple[Examples, Examples | None]:
    """Split off the last `count` examples for validation; None where `count` is 0.

    Raises:
        DataError: No example would be left to train on.
    """
    if count == 0:
        return examples, None
    num_train = len(examples) - count
    if num_train <= 0:
        raise DataError(
            f"validation_examples is {count:,}, but {examples.description} has only "
            f"{len(examples):,} examples; leave some to train on"
        )
    return (
        examples.subset(slice(num_train), f"{examples.description}, first {num_train:,}"),
        examples.subset(slice(num_train, None), f"{examples.description}, last {count:,}"),
    )
