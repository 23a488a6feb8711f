"""Examples in memory: the inputs and targets that models are trained and evaluated on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_fm.data import examples_view

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
        names: What messages call each example, such as its file; None for none.
        columns: Further columns by name, each `[examples]`, which no model takes: metrics are
            sliced by them.
        folds: `[examples]`, from 0: the fold of cross-validation that each is in. A model's outputs
            for it are then those of the members that did not learn from it. None for none.
    """

    inputs: Inputs
    targets: np.ndarray
    description: str
    names: np.ndarray | None = field(default=None, repr=False, compare=False)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    folds: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Turn lists into arrays."""
        if isinstance(self.inputs, (list, tuple)):
            object.__setattr__(self, "inputs", _to_array(self.inputs))
        object.__setattr__(self, "targets", np.asarray(self.targets))
        columns = {name: np.asarray(column) for name, column in self.columns.items()}
        object.__setattr__(self, "columns", columns)

    def __repr__(self) -> str:
        """Return the description, and the dtypes and shapes."""
        return examples_view.to_text(self.inputs, self.targets, self.description)

    def _repr_html_(self) -> str:
        """Return the first images, texts or rows."""
        return examples_view.to_html(self.inputs, self.targets, self.description)

    def __len__(self) -> int:
        """Return the number of examples."""
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        return len(next(iter(columns)))

    def sha256(self) -> str:
        """Return the sha256 of the inputs and targets, whatever file they came from."""
        columns = self.inputs if isinstance(self.inputs, dict) else {"": self.inputs}
        digest = hashlib.sha256()
        for name, column in [*columns.items(), ("targets", self.targets)]:
            digest.update(f"{name} {column.dtype.kind} {column.shape}".encode())
            if column.dtype.kind in "biuf":
                digest.update(np.ascontiguousarray(column).data)
            else:
                digest.update(repr(column.tolist()).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def subset(self, indices: slice | np.ndarray, description: str) -> "Examples":
        """Select some of the examples.

        Args:
            indices: A slice, indices, or a boolean mask.
            description: Of the subset.
        """
        names, folds = (
            None if array is None else array[indices] for array in (self.names, self.folds)
        )
        inputs, targets = take_rows(self.inputs, indices), self.targets[indices]
        columns = take_rows(self.columns, indices)
        return Examples(inputs, targets, description, names, columns, folds)


def _to_array(inputs: Sequence[Any]) -> np.ndarray:
    """Stack arrays, or keep texts as the objects that they are."""
    if inputs and isinstance(inputs[0], (str, bytes)):
        array = np.empty(len(inputs), object)
        array[:] = inputs
        return array
    return np.asarray(inputs)


def concatenate(inputs: Sequence[Inputs]) -> Inputs:
    """Join the rows of arrays, or those of each column of tables."""
    if isinstance(inputs[0], dict):
        return {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]}
    return np.concatenate(inputs)


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
