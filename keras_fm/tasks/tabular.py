"""What both tasks on tables share: columns of float32 numbers, NaN if missing, and of strings."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data.augmentation import TabularBatches
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_eval_table, load_table
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models.backbone import backbone
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.tables.checks import check_cells, check_outputs
from keras_fm.preprocessing.tables.columns import Columns, plain_names
from keras_fm.preprocessing.tables.encoding import ColumnEncoder, encode_columns
from keras_fm.preprocessing.tables.inputs import read_rows, row_name_of, to_columns
from keras_fm.tasks.base import (
    ExplainablePredictor,
    ExplainedInput,
    Signature,
    Signatures,
    TaskData,
)

PARITY_EXAMPLES = 256


class TabularData(TaskData):
    """Examples are columns by name."""

    @property
    def columns(self) -> Columns:
        """The model's columns."""
        return self.spec.inputs

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where a column is missing, or of another dtype or length."""
        table = examples.inputs if isinstance(examples.inputs, dict) else {}
        for column in self.columns:
            kinds = "US" if column.dtype == "string" else "fiu"
            values = np.asarray(table.get(column.name))
            if values.shape != np.shape(examples.targets) or values.dtype.kind not in kinds:
                received = f"{values.dtype} {list(values.shape)}"
                raise DataError(
                    f"{examples.description}: expected a column {column.name!r} of {column.dtype} "
                    f"[{len(examples.targets)}]; received "
                    f"{received if column.name in table else 'none of that name'}"
                )
            if values.dtype.kind == "f" and np.isinf(values).any():
                raise DataError(
                    f"{examples.description}: expected finite numbers in {column.name!r}, or NaN "
                    f"where one is missing; row {np.isinf(values).argmax()} is infinite"
                )
        self.validate_targets(examples)

    @abstractmethod
    def validate_targets(self, examples: Examples) -> None:
        """Raise a `DataError` where a target is none that the model learns."""

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load a table, whose columns and target are inferred; see `load_table`."""
        table = load_table(
            user_data,
            seed=seed,
            known_columns=self.columns if keep_columns else None,
            known_class_names=self.spec.labels,
            known_target=self.spec.target if keep_columns else None,
        )
        spec = replace(
            self.spec,
            task_name=f"tabular-{table.problem_type}",
            labels=table.class_names,
            inputs=table.columns,
            target=table.target,
        )
        return spec, table.examples, table.notes

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load the rows of a table with the model's columns, its target among them."""
        target = self.spec.target.name if self.spec.target is not None else ""
        return load_eval_table(
            user_data, columns=self.columns, target=target, class_names=self.spec.labels
        )

    def encode(self, examples: Examples) -> Examples:
        """Return columns as the model takes them: strings become indices of categories."""
        inputs = encode_columns(self.columns, examples.inputs)
        return Examples(inputs, examples.targets, examples.description)

    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return batches of encoded columns, some cells hidden, and of targets."""
        columns = self.encode(examples).inputs
        return TabularBatches(columns, self.targets(examples), recipe=recipe, seed=seed)

    def sample_rows(self, count: int) -> dict[str, np.ndarray]:
        """Return columns of some bundled rows; random ones for a user's own table."""
        rows = self.sample_inputs(count) if self.spec.is_default else None
        if rows is not None:
            return {column.name: rows[column.name] for column in self.columns}
        random = np.random.default_rng(0)
        return {
            column.name: random.choice([*column.categories, "?"], count)
            if column.dtype == "string"
            else (random.normal(size=count) * (column.scale or 1)).astype("float32")
            for column in self.columns
        }


class TabularPredictor(ExplainablePredictor):
    """Takes rows (dicts), a dict of columns, a data frame, or files of rows."""

    explain_methods = ("occlusion",)

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return a prediction for each row.

        Raises:
            InvalidInputError: A row is none that the model takes, or has no finite prediction.
        """
        table = to_columns(inputs)
        columns = read_rows(table, self.data.columns)
        outputs = self.predict(model, encode_columns(self.data.columns, columns))
        finite = np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
        if not finite.all():
            row = int(finite.argmin())
            raise InvalidInputError(
                f"{row_name_of(table, row)} has no finite prediction: "
                f"{', '.join(self._cells(columns, row))}"
            )
        return self.predictions(outputs)

    def preprocess(self, model: keras.Model, inputs: Any) -> dict[str, np.ndarray]:
        """Return columns by name, float32 numbers and int32 indices of categories `[rows]`."""
        columns = self.data.columns
        return encode_columns(columns, read_rows(inputs, columns))

    def explained_inputs(self, inputs: Any) -> list[ExplainedInput]:
        """Return rows, and the same with the cell of a column missing."""
        columns = read_rows(inputs, self.data.columns)
        encoded = encode_columns(self.data.columns, columns)
        return [
            ExplainedInput(
                {name: column[row : row + 1] for name, column in encoded.items()},
                partial(_occluded, encoded, row),
                tuple(self._cells(columns, row)),
            )
            for row in range(len(next(iter(encoded.values()))))
        ]

    def _cells(self, columns: dict[str, np.ndarray], row: int) -> list[str]:
        cells = {column.name: columns[column.name][row] for column in self.data.columns}
        return [
            f"{name} {value if isinstance(value, str) else format(value, 'g')}"
            for name, value in cells.items()
        ]


def tabular_signatures(
    data: TabularData, model: keras.Model, outputs: Callable[[tf.Tensor], dict[str, tf.Tensor]]
) -> Signatures:
    """Return `serving_default` and `features`: each column by its sanitized name, `[batch]`.

    NaN is a missing number. An infinite one is an error, and so is a row whose numbers are so far
    from those of the training that there is no finite prediction.

    Args:
        data: The task's data.
        model: The model.
        outputs: From the model's outputs to named ones.
    """
    encoder = ColumnEncoder(data.columns)
    names = plain_names(data.columns)
    embed = backbone(model)

    def with_checks(serve: Callable[[Any], dict[str, tf.Tensor]]) -> Any:
        def checked(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            columns = check_cells(columns, data.columns)
            encoded = encoder({name: columns[names[name]] for name in names})
            return check_outputs(serve(encoded), columns, data.columns)

        return checked

    def serving_default(encoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return outputs(model(encoded, training=False))

    def features(encoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"embedding": tf.cast(embed(encoded, training=False), tf.float32)}

    specs = {
        names[column.name]: tf.TensorSpec(
            (None,), tf.as_dtype(column.dtype), name=names[column.name]
        )
        for column in data.columns
    }
    rows = data.sample_rows(PARITY_EXAMPLES)
    sample = {names[name]: column for name, column in rows.items()}
    example = {name: column[:1] for name, column in sample.items()}
    note = _describe_names(names)
    by_name = {
        name: Signature(with_checks(serve), [specs], example, parity_inputs=sample, note=note)
        for name, serve in (("serving_default", serving_default), ("features", features))
    }
    return Signatures(by_name, list(encoder.lookup_tables.values()))


def _describe_names(names: dict[str, str]) -> str:
    """Say which input is which column, where their names differ."""
    renamed = [f"`{plain}` is {name!r}" for name, plain in names.items() if plain != name]
    return f"Columns by the names of inputs: {', '.join(renamed)}." if renamed else ""


def _occluded(encoded: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    """Return the row once for each column, with that column missing."""
    repeated = {name: column[row].repeat(len(encoded)) for name, column in encoded.items()}
    for index, column in enumerate(repeated.values()):
        column[index] = np.nan if column.dtype.kind == "f" else 0
    return repeated
