"""What both tasks on tables share: columns of float32 numbers, NaN if missing, and of strings."""

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_fm.data.augmentation import TabularBatches
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_eval_table, load_table
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.tables.columns import Columns, is_parsed
from keras_fm.preprocessing.tables.encoding import encode_columns
from keras_fm.preprocessing.tables.inputs import read_rows, row_name_of, to_columns
from keras_fm.preprocessing.tables.parsers import (
    are_readable,
    check_strings,
    expected_strings,
    sample_strings,
)
from keras_fm.tasks.base import (
    ExplainablePredictor,
    ExplainedInput,
    TaskData,
)
from keras_fm.tasks.tabular_folds import fold_fields, out_of_fold_outputs


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
            if is_parsed(column):
                is_readable = are_readable(tf.constant(values), column).numpy()
                if not is_readable.all():
                    raise DataError(
                        f"{examples.description}: expected {expected_strings(column)}, in "
                        f"{column.name!r}; received {values[is_readable.argmin()]!r:.60}"
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
            calibration=None,
        )
        return spec, table.examples, table.notes

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load the rows of a table with the model's columns, its target among them."""
        target = self.spec.target.name if self.spec.target is not None else ""
        return load_eval_table(
            user_data, columns=self.columns, target=target, class_names=self.spec.labels
        )

    def adapt_recipe(self, num_examples: int, recipe: Any) -> dict[str, Any]:
        """Return the recipe fields for so many rows; those of an ensemble with folds differ."""
        if recipe.folds:
            return fold_fields(num_examples, recipe)
        return super().adapt_recipe(num_examples, recipe)

    def encode(self, examples: Examples) -> Examples:
        """Return columns as the model takes them: strings become indices of categories."""
        inputs = encode_columns(self.columns, examples.inputs)
        return replace(examples, inputs=inputs)

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
            column.name: random.choice(sample_strings(column, count), count)
            if column.dtype == "string"
            else (random.normal(size=count) * (column.scale or 1)).astype("float32")
            for column in self.columns
        }


class TabularPredictor(ExplainablePredictor):
    """Takes rows (dicts), a dict of columns, a data frame, or files of rows."""

    explain_methods = ("occlusion", "integrated_gradients", "shap", "permutation_importance")

    def predict_examples(self, model: keras.Model, examples: Examples) -> np.ndarray:
        """Return a model's outputs; for rows with folds, of the member that left out each."""
        predict = super().predict_examples
        if examples.folds is None:
            return predict(model, examples)
        return out_of_fold_outputs(model, examples.folds, lambda part: predict(part, examples))

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return a prediction for each row.

        Raises:
            InvalidInputError: A row is none that the model takes, or has no finite prediction.
        """
        return self.predictions(self.raw_outputs(model, inputs))

    def raw_outputs(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return the model's outputs for raw rows, `[rows, ...]`.

        Raises:
            InvalidInputError: A row is none that the model takes, or has no finite prediction.
        """
        table = to_columns(inputs)
        columns = self._read(table)
        outputs = self.predict(model, encode_columns(self.data.columns, columns))
        finite = np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
        if not finite.all():
            row = int(finite.argmin())
            raise InvalidInputError(
                f"{row_name_of(table, row)} has no finite prediction: "
                f"{', '.join(self._cells(columns, row))}"
            )
        return outputs

    def preprocess(self, model: keras.Model, inputs: Any) -> dict[str, np.ndarray]:
        """Return columns by name, float32 numbers and int32 indices of categories `[rows]`.

        Those of dates are float32 `[rows, numbers]`.
        """
        return encode_columns(self.data.columns, self._read(to_columns(inputs)))

    def explained_inputs(self, inputs: Any) -> list[ExplainedInput]:
        """Return rows, and the same with the cell of a column missing."""
        columns = self._read(to_columns(inputs))
        encoded = encode_columns(self.data.columns, columns)
        return [
            ExplainedInput(
                {name: column[row : row + 1] for name, column in encoded.items()},
                partial(_occluded, encoded, row),
                tuple(self._cells(columns, row)),
                baseline=partial(_without_cells, encoded),
            )
            for row in range(len(next(iter(encoded.values()))))
        ]

    def _read(self, table: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the raw columns of the model in a table."""
        raw = read_rows(table, self.data.columns)
        check_strings(self.data.columns, raw, partial(row_name_of, table))
        return raw

    def _cells(self, columns: dict[str, np.ndarray], row: int) -> list[str]:
        cells = {column.name: columns[column.name][row] for column in self.data.columns}
        return [
            f"{name} {value if isinstance(value, str) else format(value, 'g')}"
            for name, value in cells.items()
        ]


def _without_cells(encoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a row of which each cell is missing, which the model imputes."""
    return {
        name: np.full_like(column[:1], np.nan if column.dtype.kind == "f" else 0)
        for name, column in encoded.items()
    }


def _occluded(encoded: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    """Return the row once for each column, with that column missing."""
    repeated = {name: np.stack([column[row]] * len(encoded)) for name, column in encoded.items()}
    for index, column in enumerate(repeated.values()):
        column[index] = np.nan if column.dtype.kind == "f" else 0
    return repeated
