"""Inputs of a prediction, a chunk at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Chunk:
    """Some inputs.

    Attributes:
        inputs: As a pipeline takes them.
        frame: What is written beside their predictions, a row for each.
    """

    inputs: Any
    frame: "pd.DataFrame"


@dataclass(frozen=True)
class Source:
    """Inputs to predict for.

    Attributes:
        count: How many there are.
        unit: What they are, in the singular.
        chunks: The inputs; they can be read once.
        schema: The types of the columns, of a Parquet file.
        leaves_out_unreadable: Whether an input that can't be read is left out, with a warning: a
            file that lay in a folder. One that was named is an error.
    """

    count: int
    unit: str
    chunks: Iterator[Chunk]
    schema: "pa.Schema | None" = None
    leaves_out_unreadable: bool = False
