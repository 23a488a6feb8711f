"""The sketch of an export's training inputs, and its file."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from keras_fm.errors import InvalidInputError
from keras_fm.files import atomic_write
from keras_fm.formatting import first_line
from keras_fm.models.export_files import SKETCH
from keras_fm.sketches.histograms import (
    MAX_BINS,
    MAX_CATEGORIES,
    Histogram,
    Vectors,
    add_values,
    histogram_of,
)
from keras_fm.sketches.measuring import Values

# Of all features together, so that the file stays below 200 kB.
_MAX_ALL_BINS = 2500
_MAX_ALL_CATEGORIES = 1500
_MIN_BINS = 10


class Sketch(Struct):
    """What was measured of examples.

    Attributes:
        source: What they are.
        num_examples: How many there are.
        features: By `measuring.feature`.
    """

    source: str
    num_examples: int
    features: dict[str, Histogram]

    @classmethod
    def of(cls, source: str, values: Values) -> "Sketch":
        """Return the sketch of what was measured."""
        kinds = [array.dtype.kind for array in values.values() if array.ndim == 1]
        num_strings = sum(kind in "OUSb" for kind in kinds)
        limits = (
            _limit(MAX_BINS, _MAX_ALL_BINS, len(kinds) - num_strings),
            _limit(MAX_CATEGORIES, _MAX_ALL_CATEGORIES, num_strings),
        )
        features = {name: histogram_of(array, *limits) for name, array in values.items()}
        return cls(source, len(next(iter(values.values()))), features)

    def empty(self, source: str) -> "Sketch":
        """Return a sketch of no examples with the same features and bins."""
        features: dict[str, Histogram] = {
            name: histogram.empty() for name, histogram in self.features.items()
        }
        return Sketch(source, 0, features)

    def add(self, values: Values) -> None:
        """Add what was measured of further examples; features that are not in it are left out."""
        self.num_examples += len(next(iter(values.values())))
        for name, histogram in self.features.items():
            if name in values:
                add_values(histogram, values[name])


def write_file(version: Path, sketch: Sketch) -> Path:
    """Write a sketch into an export's version folder."""
    features: dict[str, Histogram] = {
        name: histogram.rounded() if isinstance(histogram, Vectors) else histogram
        for name, histogram in sketch.features.items()
    }
    rounded = Sketch(sketch.source, sketch.num_examples, features)
    with atomic_write(version / SKETCH, "wb") as stream:
        stream.write(msgspec.json.encode(rounded))
    return version / SKETCH


def read_file(version: Path) -> Sketch | None:
    """Read the sketch of a version; None where it has none.

    Raises:
        InvalidInputError: The file holds no sketch.
    """
    file = version / SKETCH
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Sketch)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{file} holds no sketch: {first_line(error)}; export the model again"
        ) from None


def join_values(parts: Iterable[Values]) -> Values:
    """Join what was measured of several batches."""
    batches = [*parts]
    return {name: np.concatenate([part[name] for part in batches]) for name in batches[0]}


def _limit(most: int, of_all: int, count: int) -> int:
    return min(most, max(_MIN_BINS, of_all // max(count, 1)))
