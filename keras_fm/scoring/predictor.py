"""`BatchPredictor`: predictions for a batch of rows, with an error instead of each bad one."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_fm.batch_prediction.columns import prediction_columns
from keras_fm.batch_prediction.readable import predict_readable
from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.texts.inputs import encode_text
from keras_fm.scoring.specification import ERROR, ScoringSpec

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are read at once, whatever the engine's batch: their arrays are what takes memory.
CHUNK_SIZES = {"image": 256, "text": 1000, "row": 10_000}
# A row is read again by itself where its batch is refused; its position says nothing then.
_POSITION = re.compile(r",? (?:row|at position) 0\b")


class BatchPredictor:
    """A callable from a batch of rows to the same rows with predictions, for Ray Data.

    `map_batches` makes one in each worker, which loads the model once. The rows keep their columns;
    the new ones are those of `Pipeline.predict_to_file`: `label`, its `probability` and
    `probability_NAME` of each class, or `prediction`. A row that can't be read has none of them,
    and the column `error` says why; it is null in all others. A column whose name the rows have
    already is called `predicted_...`.

    Args:
        model: A model's name, or the path of a run directory, of an export or of one of its
            versions, which all workers see. Of an export each worker takes the highest version.
        column: Of a model of texts the column of the texts; of one of images that of their paths
            or of the bytes of their files. A model of tables reads the columns of its name.
        threshold: Of a classifier of two classes; see `keras_fm.pipeline`.

    Raises:
        InvalidInputError: It is no model of images, texts or tables, or `column` is missing or one
            too many.
        UnknownNameError: There is no such model.

    Example:
        >>> rows = ray.data.read_parquet("diamonds/")
        >>> rows.map_batches(
        ...     BatchPredictor, fn_constructor_args=["exports/mlp"], batch_format="pyarrow",
        ...     batch_size=10_000, concurrency=2,
        ... ).write_parquet("prices/")
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        column: str | None = None,
        *,
        threshold: float | None = None,
    ) -> None:
        """See the class."""
        self.spec = ScoringSpec.of(model, column)
        from keras_fm import startup  # sets what TensorFlow reads when it is imported

        startup.import_tensorflow()
        from keras_fm.pipelines import pipeline

        self._pipeline = pipeline(self.spec.model, threshold=threshold)

    def __call__(self, batch: "pa.Table") -> "pa.Table":
        """Return the rows with their predictions.

        Args:
            batch: Any number of rows.

        Raises:
            DataError: A column is missing.
            InvalidInputError: It is no Arrow table.
        """
        import pyarrow as pa

        if not isinstance(batch, pa.Table):
            raise InvalidInputError(
                "expected batches of pyarrow.Table: pass batch_format='pyarrow' to map_batches; "
                f"received {type(batch).__name__}"
            )
        inputs = batch.select(self.spec.find_inputs(batch.column_names))
        size = CHUNK_SIZES[self.spec.input_kind]
        starts = range(0, max(len(batch), 1), size)
        columns = pa.concat_tables(
            [self._predict(inputs.slice(start, size)) for start in starts]
        ).combine_chunks()
        for name, new_name in self.spec.output_names(batch.column_names).items():
            batch = batch.append_column(new_name, columns[name])
        return batch

    def _predict(self, inputs: "pa.Table") -> "pa.Table":
        """Return the new columns of some rows."""
        import numpy as np
        import pyarrow as pa

        predictions, errors = predict_readable(self._predict_raw, self._to_raw(inputs))
        columns: Mapping[str, Any] = prediction_columns(predictions) if predictions else {}
        # The position of each row's prediction; null of a bad row, and so are its cells then.
        is_bad = np.isin(np.arange(len(inputs)), [*errors])
        positions = pa.array(np.cumsum(~is_bad) - 1, mask=is_bad)
        arrays = {}
        for name, dtype in self.spec.dtypes.items():
            arrow_type = pa.string() if dtype == "string" else pa.float32()
            if name == ERROR:
                messages = [errors.get(row) for row in range(len(inputs))]
                cells = [message and _POSITION.sub("", message) for message in messages]
                arrays[name] = pa.array(cells, arrow_type)
            else:
                arrays[name] = pa.array(columns.get(name, ()), arrow_type).take(positions)
        return pa.table(arrays)

    def _to_raw(self, inputs: "pa.Table") -> Any:
        """Return rows as a pipeline takes them: a list, or a data frame."""
        if self.spec.input_kind == "row":
            return inputs.to_pandas(integer_object_nulls=True)
        cells = inputs.column(0).to_pylist()
        # As bytes: a string can be taken for the name of a file.
        return [*map(encode_text, cells)] if self.spec.input_kind == "text" else cells

    def _predict_raw(self, rows: Any) -> Any:
        is_table = self.spec.input_kind == "row"
        return self._pipeline(rows.reset_index(drop=True) if is_table else rows)
