"""A table's columns in, a quantity out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import pictures
from keras_fm.tasks.tabular import TabularTask
from keras_fm.tasks.task import Signatures


class TabularRegression(TabularTask):
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
            raise DataError(f"{examples.description}: expected finite numbers as targets")
        if self.log and (targets <= 0).any():
            raise DataError(
                f"{examples.description}: the model learns the logarithm, and "
                f"{(targets <= 0).sum()} targets are not above 0"
            )

    def targets(self, examples: Examples) -> np.ndarray:
        """The quantities, float32 `[examples]`."""
        return np.asarray(examples.targets, "float32")

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

    def endpoints(self, model: keras.Model, folder: Path) -> Signatures:
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
        return {"answers": pictures.prediction_density(examples.targets, answers, log=self.log)}


def squared_log_error(targets: Any, answers: Any) -> Any:
    """Of positive quantities `[batch]`, for each the squared difference of the logarithms."""
    return keras.ops.square(keras.ops.log(targets) - keras.ops.log(answers))


class RootMeanSquaredLogError(keras.metrics.RootMeanSquaredError):
    """The root mean squared difference of the natural logarithms."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes one batch in."""
        super().update_state(keras.ops.log(y_true), keras.ops.log(y_pred), sample_weight)
