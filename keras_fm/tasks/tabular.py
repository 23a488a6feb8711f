"""A table's columns in: what both kinds of model of them share."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data import datasets, user_tables
from keras_fm.data.augmentation import TabularBatches
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.explanation.attribution import Attribution
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import table_inputs, tables
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks.task import Signature, Signatures, Task


class TabularTask(Task):
    """A model of named columns: float32 numbers, where NaN is missing, and strings."""

    unit = "rows"
    explains = ("occlusion",)
    recipes = "tables"

    @property
    def columns(self) -> tables.Columns:
        """The model's columns."""
        return self.identity.inputs

    @property
    def slices(self) -> tuple[str, ...]:
        """Metrics can be split by the values of each column of strings."""
        return tuple(column.name for column in tables.categorical_columns(self.columns))

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where a column is not there, or of another kind or length."""
        given = examples.inputs if isinstance(examples.inputs, dict) else {}
        for column in self.columns:
            kinds = "US" if column.dtype == "string" else "fiu"
            values = np.asarray(given.get(column.name))
            if values.shape != np.shape(examples.targets) or values.dtype.kind not in kinds:
                raise DataError(
                    f"{examples.description}: expected a column {column.name!r} of {column.dtype} "
                    f"[{len(examples.targets)}]; received "
                    f"{_words(values) if column.name in given else 'none of that name'}"
                )
            if values.dtype.kind == "f" and np.isinf(values).any():
                raise DataError(
                    f"{examples.description}: expected finite numbers in {column.name!r}, or NaN "
                    f"where one is missing; row {np.isinf(values).argmax()} is infinite"
                )
        self.check_targets(examples)

    @abstractmethod
    def check_targets(self, examples: Examples) -> None:
        """The same of the targets."""

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Batches of encoded columns, some cells hidden, and the targets that the model learns."""
        columns = self.encode(examples).inputs
        return TabularBatches(columns, self.targets(examples), recipe=recipe, seed=seed)

    def learn_from(
        self, source: UserData, seed: int, *, going_on: bool = False
    ) -> tuple[ModelSpec, Examples, list[str]]:
        """The columns of a table, inferred; see `user_tables.load_table`."""
        table = user_tables.load_table(
            source,
            seed=seed,
            known_columns=self.identity.inputs if going_on else None,
            known_class_names=self.identity.labels,
            known_target=self.identity.target if going_on else None,
        )
        identity = replace(
            self.identity,
            task=f"table-{table.problem_type}",
            labels=table.class_names,
            inputs=table.columns,
            target=table.target,
        )
        return identity, table.examples, table.notes

    def read(self, source: UserData) -> Examples:
        """The rows of a table with the columns of the model, the one it answers among them."""
        identity = self.identity
        return user_tables.load_eval_table(
            source,
            columns=identity.inputs,
            target=identity.target.name if identity.target else "",
            class_names=identity.labels,
        )

    def encode(self, examples: Examples) -> Examples:
        """Strings become their places among the column's values."""
        inputs = tables.encode(self.columns, examples.inputs)
        return Examples(inputs, examples.targets, examples.description)

    def explain(self, model: keras.Model, inputs: Any, method: str) -> list[Attribution]:
        """Which columns of each row: what the answer is without them. See `keras_fm.explain`."""
        raw = table_inputs.read_rows(inputs, self.columns)
        cells = tables.encode(self.columns, raw)
        answers = self.predict(model, cells)
        found = []
        for index, answer in enumerate(self.in_words(answers)):
            rows = {name: column[index].repeat(1 + len(cells)) for name, column in cells.items()}
            for place, column in enumerate(rows.values(), 1):
                column[place] = np.nan if column.dtype.kind == "f" else 0
            judged = self.judge(self.predict(model, rows), answers[index])
            parts = tuple(_cell(column.name, raw[column.name][index]) for column in self.columns)
            found.append(Attribution(answer, judged[0] - judged[1:], parts))
        return found

    def answer_rows(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """What the model answers to rows as a user has them; finite numbers."""
        raw = table_inputs.read_rows(inputs, self.columns)
        answers = self.predict(model, tables.encode(self.columns, raw))
        for row, answer in enumerate(answers):
            if not np.isfinite(answer).all():
                cells = (_cell(column.name, raw[column.name][row]) for column in self.columns)
                raise InvalidInputError(f"row {row} has no finite prediction: {', '.join(cells)}")
        return answers

    @abstractmethod
    def in_words(self, answers: np.ndarray) -> list[dict[str, Any]]:
        """What `pipeline` answers, from what the model did."""

    @abstractmethod
    def judge(self, answers: np.ndarray, first: np.ndarray) -> np.ndarray:
        """How much answers say what the `first` one says, `[rows]`."""

    def served(self, model: keras.Model, answer: Any) -> Signatures:
        """`serving_default` and `features`: each column by its plain name, `[batch]`.

        NaN is a missing number. An infinite one is an error, and so is a row whose numbers are so
        far from those of the training that there is no finite prediction.
        """
        encoder, plain = tables.ColumnEncoder(self.columns), tables.sanitized_names(self.columns)
        body = keras.Model(model.input, model.get_layer("embedding").output)

        def checked(serve: Any) -> Any:
            def served(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
                columns = tables.check_cells(columns, self.columns)
                cells = encoder({name: columns[plain[name]] for name in plain})
                return tables.check_outputs(serve(cells), columns, self.columns)

            return served

        def serving_default(cells: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return answer(model(cells, training=False))

        def features(cells: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {"embedding": tf.cast(body(cells, training=False), tf.float32)}

        raw = {
            plain[column.name]: tf.TensorSpec(
                (None,), tf.as_dtype(column.dtype), name=plain[column.name]
            )
            for column in self.columns
        }
        example = {plain[name]: column[:1] for name, column in self._some_rows().items()}
        by_name = {
            "serving_default": Signature(checked(serving_default), [raw], example),
            "features": Signature(checked(features), [raw], example),
        }
        return Signatures(by_name, list(encoder.lookup_tables.values()))

    def ask_both(self, model: keras.Model, served: Any, output: str) -> dict[str, Any]:
        """The largest difference between the Keras model and the loaded SavedModel."""
        rows, plain = self._some_rows(), tables.sanitized_names(self.columns)
        answers = served.signatures["serving_default"](
            **{plain[name]: tf.constant(column) for name, column in rows.items()}
        )
        expected = self.predict(model, tables.encode(self.columns, rows))
        return {
            f"largest_difference_of_{output}": float(np.abs(answers[output] - expected).max()),
            "examples": len(expected),
        }

    def _some_rows(self) -> dict[str, np.ndarray]:
        try:
            sample = datasets.sample(self.identity.entry.dataset).inputs
            return {column.name: sample[column.name] for column in self.columns}
        except (UnknownNameError, KeyError):  # a table of the user's own
            random = np.random.default_rng(0)
            return {
                column.name: random.choice([*column.values, "?"], 64)
                if column.dtype == "string"
                else random.normal(size=64).astype("float32")
                for column in self.columns
            }


def _cell(name: str, value: Any) -> str:
    return f"{name} {value if isinstance(value, str) else format(value, 'g')}"


def _words(values: np.ndarray) -> str:
    return f"{values.dtype} {list(values.shape)}"
