"""A table's columns in; a quantity, or labels, out."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import rankdata

from keras_fm import data, pictures
from keras_fm.attribution import Attribution, log_odds
from keras_fm.data import Examples, own_tables, raw_rows, tables
from keras_fm.data.augmenting import HiddenCells
from keras_fm.data.batches import Batches
from keras_fm.data.own import Source
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.identity import Identity
from keras_fm.recipe import Recipe
from keras_fm.tasks.classification import Classification
from keras_fm.tasks.task import Endpoint, Endpoints, Task


class Table(Task):
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
        return tuple(column.name for column in tables.categories(self.columns))

    def check_arrays(self, examples: Examples) -> None:
        """Raises a `DataError` where a column is not there, or of another kind or length."""
        given = examples.inputs if isinstance(examples.inputs, dict) else {}
        for column in self.columns:
            kinds = "US" if column.dtype == "string" else "fiu"
            values = np.asarray(given.get(column.name))
            if values.shape != np.shape(examples.targets) or values.dtype.kind not in kinds:
                raise DataError(
                    f"{examples.origin}: expected a column {column.name!r} of {column.dtype} "
                    f"[{len(examples.targets)}]; received "
                    f"{_words(values) if column.name in given else 'none of that name'}"
                )
            if values.dtype.kind == "f" and np.isinf(values).any():
                raise DataError(
                    f"{examples.origin}: expected finite numbers in {column.name!r}, or NaN where "
                    f"one is missing; row {np.isinf(values).argmax()} is infinite"
                )
        self.check_targets(examples)

    @abstractmethod
    def check_targets(self, examples: Examples) -> None:
        """The same of the targets."""

    def batches(self, examples: Examples, recipe: Recipe, seed: int) -> Batches:
        """Batches of encoded columns, some cells hidden, and the targets that the model learns."""
        return HiddenCells(*self.held_out(examples), recipe=recipe, seed=seed)

    @abstractmethod
    def held_out(self, examples: Examples) -> tuple[Any, np.ndarray]:
        """Encoded columns and the targets that the model learns."""

    def learn_from(
        self, source: Source, seed: int, *, going_on: bool = False
    ) -> tuple[Identity, Examples, list[str]]:
        """The columns of a table, found out; see `own_tables.learn`."""
        return own_tables.learn(source, self.identity, seed=seed, going_on=going_on)

    def read(self, source: Source) -> Examples:
        """The rows of a table with the columns of the model, the one it answers among them."""
        return own_tables.examples(source, self.identity)

    def encode(self, examples: Examples) -> Examples:
        """Strings become their places among the column's values."""
        inputs = tables.encode(self.columns, examples.inputs)
        return Examples(inputs, examples.targets, examples.origin)

    def explain(self, model: keras.Model, inputs: Any, method: str) -> list[Attribution]:
        """Which columns of each row: what the answer is without them. See `keras_fm.explain`."""
        raw = raw_rows.read(inputs, self.columns)
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
        raw = raw_rows.read(inputs, self.columns)
        answers = self.predict(model, tables.encode(self.columns, raw))
        for row, answer in enumerate(answers):
            if not np.isfinite(answer).all():
                cells = (_cell(column.name, raw[column.name][row]) for column in self.columns)
                raise InvalidInputError(f"row {row} has no finite answer: {', '.join(cells)}")
        return answers

    @abstractmethod
    def in_words(self, answers: np.ndarray) -> list[dict[str, Any]]:
        """What `pipeline` answers, from what the model did."""

    @abstractmethod
    def judge(self, answers: np.ndarray, first: np.ndarray) -> np.ndarray:
        """How much answers say what the `first` one says, `[rows]`."""

    def served(self, model: keras.Model, answer: Any) -> Endpoints:
        """`serving_default` and `features`: each column by its plain name, `[batch]`.

        NaN is a missing number. An infinite one is an error, and so is a row whose numbers are so
        far from those of the training that there is no finite answer.
        """
        encoder, plain = tables.encoder(self.columns), tables.plain_names(self.columns)
        body = keras.Model(model.input, model.get_layer("embedding").output)

        def checked(serve: Any) -> Any:
            def served(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
                columns = tables.check_cells(columns, self.columns)
                cells = encoder({name: columns[plain[name]] for name in plain})
                return tables.check_answers(serve(cells), columns, self.columns)

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
            "serving_default": Endpoint(checked(serving_default), [raw], example),
            "features": Endpoint(checked(features), [raw], example),
        }
        return Endpoints(by_name, list(encoder.tables.values()))

    def ask_both(self, model: keras.Model, served: Any, output: str) -> dict[str, Any]:
        """The largest difference between the Keras model and the loaded SavedModel."""
        rows, plain = self._some_rows(), tables.plain_names(self.columns)
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
            sample = data.sample(self.identity.entry.dataset).inputs
            return {column.name: sample[column.name] for column in self.columns}
        except (UnknownNameError, KeyError):  # a table of the user's own
            random = np.random.default_rng(0)
            return {
                column.name: random.choice([*column.values, "?"], 64)
                if column.dtype == "string"
                else random.normal(size=64).astype("float32")
                for column in self.columns
            }


class TableRegression(Table):
    """Answers a quantity. Where the target says `log`, it learns and is measured on the log."""

    @property
    def output(self) -> tuple[str, tuple[int | None, ...]]:
        """One quantity."""
        return "value", ()

    @property
    def build_arguments(self) -> dict[str, Any]:
        """The columns, and the quantity."""
        return {"columns": self.columns, "target": self.identity.target}

    @property
    def log(self) -> bool:
        """Whether the target's logarithm counts."""
        return self.identity.target is not None and self.identity.target.log

    def check_targets(self, examples: Examples) -> None:
        """Raises a `DataError` where a target is not a finite number, or has no logarithm."""
        targets = np.asarray(examples.targets)
        if targets.dtype.kind not in "fiu" or not np.isfinite(targets).all():
            raise DataError(f"{examples.origin}: expected finite numbers as targets")
        if self.log and (targets <= 0).any():
            raise DataError(
                f"{examples.origin}: the model learns the logarithm, and "
                f"{(targets <= 0).sum()} targets are not above 0"
            )

    def held_out(self, examples: Examples) -> tuple[Any, np.ndarray]:
        """Encoded columns and float32 targets."""
        return self.encode(examples).inputs, np.asarray(examples.targets, "float32")

    def objective(self, recipe: Recipe) -> dict[str, Any]:
        """Mean squared error, of the logarithm where the target says so."""
        if not self.log:
            return {
                "loss": keras.losses.MeanSquaredError(),
                "metrics": [keras.metrics.RootMeanSquaredError(name="rmse")],
            }
        return {
            "loss": squared_log_error,
            "metrics": [RootMeanSquaredLogError(name="rmse_log")],
        }

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`rmse_log` (natural logarithm) for a log target; `rmse` and `mae` in its unit; `r2`."""
        answers = self.predict(model, self.encode(examples).inputs)
        scores = self.score(answers, examples)
        if slices is None:
            return scores
        headline = next(iter(scores))
        column = examples.inputs[slices]
        by_value = {
            str(value): self._compare(answers[column == value], examples.targets[column == value])
            for value in np.unique(column)
        }
        return {**scores, "slices": {name: score[headline] for name, score in by_value.items()}}

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """Always the mean, of the logarithm where the target says so."""
        targets = np.asarray(examples.targets, "float64")
        mean = np.exp(np.log(targets).mean()) if self.log else targets.mean()
        return self.score(np.full(len(held_out), mean), held_out)

    def score(self, answers: np.ndarray, examples: Examples) -> dict[str, float]:
        """The metrics of quantities."""
        return self._compare(answers, examples.targets)

    def _compare(self, answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        answers, targets = answers.astype("float64"), np.asarray(targets, "float64")
        error = answers - targets
        spread = np.square(targets - targets.mean()).sum()
        scores = {
            "rmse": float(np.sqrt(np.square(error).mean())),
            "mae": float(np.abs(error).mean()),
            "r2": float(1 - np.square(error).sum() / spread) if spread else 0.0,
        }
        if not self.log:
            return scores
        log_error = np.log(answers) - np.log(targets)
        return {"rmse_log": float(np.sqrt(np.square(log_error).mean())), **scores}

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """`value` for each row: dicts, a dict of columns, or a CSV file."""
        return self.in_words(self.answer_rows(model, inputs))

    def in_words(self, answers: np.ndarray) -> list[dict[str, Any]]:
        """`value` of each row."""
        return [{"value": value} for value in answers.tolist()]

    def judge(self, answers: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The quantities themselves."""
        return answers

    def endpoints(self, model: keras.Model, folder: Path) -> Endpoints:
        """Each column by its plain name (`tables.plain_names`), `[batch]`, float32 or string.

        serving_default: -> `value`, float32 `[batch]`. features: -> `embedding` `[batch, width]`.
        """
        return self.served(model, lambda value: {"value": tf.cast(value, tf.float32)})

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a value."""
        return self.ask_both(model, served, "value")

    def draw_answers(self, model: keras.Model, examples: Examples) -> dict[str, np.ndarray]:
        """How often which quantity was answered for which."""
        answers = self.predict(model, self.encode(examples).inputs)
        return {"answers": pictures.agreement(examples.targets, answers, log=self.log)}


class TableClassification(Classification, Table):
    """Answers labels with probabilities."""

    @property
    def build_arguments(self) -> dict[str, Any]:
        """The columns, and one output a label."""
        return {"columns": self.columns, **super().build_arguments}

    def check_targets(self, examples: Examples) -> None:
        """Raises a `DataError` where a target is not the index of a label."""
        self.check_labels(examples)

    def held_out(self, examples: Examples) -> tuple[Any, np.ndarray]:
        """Encoded columns and one-hot labels."""
        return self.encode(examples).inputs, self.one_hot(examples)

    def measure(
        self, model: keras.Model, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """`accuracy`, `cross_entropy` (nats), and `auc` of two classes."""
        return self.score(self.predict(model, self.encode(examples).inputs), examples, slices)

    def score(
        self, logits: np.ndarray, examples: Examples, slices: str | None = None
    ) -> dict[str, Any]:
        """The same; `auc` is the area under the ROC curve, and wants examples of both classes."""
        scores = super().score(logits, examples, slices)
        if not self._both_classes_in(examples):
            return scores
        return {"accuracy": scores["accuracy"], "auc": _auc(logits, examples.targets), **scores}

    def baseline(self, examples: Examples, held_out: Examples) -> dict[str, float]:
        """Always the most common label; no row before another."""
        known = super().baseline(examples, held_out)
        return {**known, "auc": 0.5} if self._both_classes_in(held_out) else known

    def _both_classes_in(self, examples: Examples) -> bool:
        return len(self.identity.labels) == len(np.unique(examples.targets)) == 2

    def answer(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Labels and probabilities of rows: dicts, a dict of columns, or a CSV file."""
        return self.name(self.answer_rows(model, inputs))

    def in_words(self, answers: np.ndarray) -> list[dict[str, Any]]:
        """Labels and probabilities of each row."""
        return self.name(answers)

    def judge(self, answers: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The log-odds of the label that was answered first."""
        return log_odds(answers, int(first.argmax()))

    def endpoints(self, model: keras.Model, folder: Path) -> Endpoints:
        """Each column by its plain name -> `probabilities`, `logits`, `label`; and `features`."""
        table = self.label_table(folder)
        endpoints = self.served(model, lambda logits: self.serve(logits, table))
        return Endpoints(endpoints.by_name, [*endpoints.resources, table])

    def parity(self, model: keras.Model, served: Any) -> dict[str, Any]:
        """The largest difference of a logit."""
        return self.ask_both(model, served, "logits")


def _auc(logits: np.ndarray, targets: np.ndarray) -> float:
    """How often a row of the second class is more like it than one of the first; ties are half."""
    ranks, second = rankdata(logits[:, 1] - logits[:, 0]), targets == 1
    count = int(second.sum())
    least = count * (count + 1) / 2  # the sum of ranks where all of the second class come first
    return float((ranks[second].sum() - least) / (count * (len(targets) - count)))


def squared_log_error(targets: Any, answers: Any) -> Any:
    """Of positive quantities `[batch]`, for each the squared difference of the logarithms."""
    return keras.ops.square(keras.ops.log(targets) - keras.ops.log(answers))


class RootMeanSquaredLogError(keras.metrics.RootMeanSquaredError):
    """The root mean squared difference of the natural logarithms."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes one batch in."""
        super().update_state(keras.ops.log(y_true), keras.ops.log(y_pred), sample_weight)


def _cell(name: str, value: Any) -> str:
    return f"{name} {value if isinstance(value, str) else format(value, 'g')}"


def _words(values: np.ndarray) -> str:
    return f"{values.dtype} {list(values.shape)}"
