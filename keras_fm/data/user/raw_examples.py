"""Examples as a user has them, with notes on what is unusual in them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_fm.errors import DataError, DataWarning


class DataNotes(list[str]):
    """Sentences on a user's data, which the report of a run shows."""

    def warn(self, sentence: str) -> None:
        """Add a sentence, and warn of it before the training starts."""
        self.append(sentence)
        warnings.warn(sentence, DataWarning, stacklevel=2)

    def warn_alike(self, description: str, strings: Sequence[str]) -> None:
        """Warn of strings that differ in case or blanks alone."""
        first_of: dict[str, str] = {}
        for string in strings:
            first = first_of.setdefault("".join(string.casefold().split()), string)
            if first != string:
                self.warn(
                    f"{description} that differ in case or blanks alone, such as {first!r} and "
                    f"{string!r}: they count as different"
                )
                return


@dataclass(frozen=True)
class RawExamples:
    """Examples as a user has them.

    Attributes:
        inputs: Images, texts, or the columns of a table by name.
        targets: Class names, class indices, one-hot rows, or numbers.
        description: What they are, in words.
        class_names: By class index, where the data has them.
        notes: Sentences for the user.
        names: What messages call each example, such as its file; None: they are numbered.
        columns: Further columns by name, each `[examples]`.
    """

    inputs: Any
    targets: Any
    description: str
    class_names: Sequence[str] | None = None
    notes: DataNotes = field(default_factory=DataNotes)
    names: Sequence[str] | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def names_of(self, indices: np.ndarray) -> list[str]:
        """Return what messages call the examples at some indices, or in a mask."""
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        if self.names is None:
            return [f"example {index}" for index in indices]
        return [self.names[index] for index in indices]

    def __post_init__(self) -> None:
        """Check that there are as many inputs as targets."""
        columns = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        lengths = {len(column) for column in [*columns, self.targets]}
        if len(lengths) != 1:
            raise DataError(
                f"{self.description}: expected as many inputs as targets; received "
                f"{' and '.join(f'{length:,}' for length in sorted(lengths))}"
            )
