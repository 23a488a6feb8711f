"""`predict_spark`: predictions for the rows of a Spark data frame."""

import functools
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from keras_fm.scoring.predictor import BatchPredictor
from keras_fm.scoring.specification import ScoringSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def predict_spark(
    frame: "DataFrame",
    model: str | os.PathLike[str],
    column: str | None = None,
    *,
    threshold: float | None = None,
) -> "DataFrame":
    """Return a Spark data frame with predictions beside its columns.

    By `mapInArrow`, since a `predict_batch_udf` gets arrays without names and no types but numbers
    and strings. Spark's Python workers live on from task to task, and each loads the model once.
    Rows reach it in batches of `spark.sql.execution.arrow.maxRecordsPerBatch`, and no more are in
    its memory at a time.

    Args:
        frame: The rows.
        model: See `BatchPredictor`. The version of an export is chosen here, for all workers.
        column: See there.
        threshold: See there.

    Returns:
        The rows with the columns of `BatchPredictor`. Nothing is computed yet.

    Raises:
        DataError: The frame lacks a column of the model.
        InvalidInputError: It is no model of images, texts or tables, or `column` is missing or one
            too many.
        UnknownNameError: There is no such model.

    Example:
        >>> rows = spark.read.parquet("diamonds/")
        >>> predict_spark(rows, "exports/mlp").write.parquet("prices/")
    """
    from pyspark.sql.types import FloatType, StringType, StructField, StructType

    spec = ScoringSpec.of(model, column)
    spec.find_inputs(frame.columns)
    new_fields = [
        StructField(name, StringType() if spec.dtypes[key] == "string" else FloatType())
        for key, name in spec.output_names(frame.columns).items()
    ]
    # A function of this module, which the workers import: what it keeps lasts as long as they do.
    predict = functools.partial(
        predict_batches, model=spec.model, column=column, threshold=threshold
    )
    return frame.mapInArrow(predict, StructType([*frame.schema.fields, *new_fields]))


def predict_batches(
    batches: "Iterable[pa.RecordBatch]",
    model: str,
    column: str | None = None,
    threshold: float | None = None,
) -> "Iterator[pa.RecordBatch]":
    """Yield batches of rows with their predictions; see `BatchPredictor`."""
    import pyarrow as pa

    predict = _load(model, column, threshold)
    for batch in batches:
        yield from predict(pa.Table.from_batches([batch])).to_batches()


@functools.lru_cache(maxsize=1)
def _load(model: str, column: str | None, threshold: float | None) -> BatchPredictor:
    return BatchPredictor(model, column, threshold=threshold)
