"""How regressions are trained and evaluated."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError
from keras_fm.tasks.base import ExampleScores, ScoredObjective
from keras_fm.tasks.tabular_slices import column_values


class RegressionObjective(ScoredObjective):
    """Mean squared error, of the logarithm where the target says so."""

    baseline_name = "mean"

    @property
    def slices(self) -> tuple[str, ...]:
        """Each column."""
        return tuple(column.name for column in self.data.columns)

    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return the mean squared error, in the unit of the training, and its root."""
        if not self.data.log:
            scale = self.data.scale
            return {
                "loss": ScaledSquaredError(scale),
                "metrics": [RootMeanSquaredError(scale, name="rmse")],
            }
        return {
            "loss": squared_log_error,
            "metrics": [RootMeanSquaredLogError(name="rmse_log")],
        }

    def check_distillation(self, recipe: Any) -> None:
        """Raise an `InvalidInputError` for a temperature, which values don't have."""
        default = type(recipe).default_of("distillation_temperature")
        if recipe.distillation_temperature != default:
            raise InvalidInputError(
                "distillation_temperature is for classifiers, which have logits; received "
                f"{recipe.distillation_temperature} for {self.spec.name}"
            )

    def distillation_targets(
        self, examples: Examples, num_unlabeled: int, outputs: np.ndarray | None, recipe: Any
    ) -> np.ndarray:
        """Return the weighted mean of target and teacher's value, which minimizes both errors."""
        assert outputs is not None
        weight = recipe.distillation_weight
        values, taught = (
            np.log(array) if self.data.log else array
            for array in (self.data.targets(examples), outputs)
        )
        mean = (1 - weight) * values + weight * taught[: len(values)]
        mixed = np.concatenate([mean, taught[len(values) :]])
        return np.exp(mixed) if self.data.log else mixed

    def describe_loss(self, recipe: Any) -> str:
        """Return what `val_loss` is."""
        if self.data.log:
            return "val_loss is the mean squared error of the logarithm; rmse_log is its root"
        unit = "" if self.data.scale == 1 else f" in units of {self.data.scale:g}"
        return f"val_loss is the mean squared error{unit}; rmse is its root{' there' * bool(unit)}"

    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return `rmse_log` (natural logarithm) of a log target; `rmse`, `mae` (its unit); `r2`."""
        values = outputs.astype("float64")
        targets = np.asarray(examples.targets, "float64")
        error = values - targets
        variation = np.square(targets - targets.mean()).sum()
        scores = {
            "rmse": float(np.sqrt(np.square(error).mean())),
            "mae": float(np.abs(error).mean()),
            "r2": float(1 - np.square(error).sum() / variation) if variation else 0.0,
        }
        if not self.data.log:
            return scores
        log_error = np.log(values) - np.log(targets)
        return {"rmse_log": float(np.sqrt(np.square(log_error).mean())), **scores}

    def example_scores(self, outputs: Any, examples: Examples) -> ExampleScores:
        """Return `rmse_log` of a log target, else `rmse`: squared errors."""
        values, targets = outputs.astype("float64"), np.asarray(examples.targets, "float64")
        if self.data.log:
            values, targets = np.log(values), np.log(targets)
        metric = "rmse_log" if self.data.log else "rmse"
        return ExampleScores(metric, np.square(values - targets), is_root=True, is_error=True)

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return the values of a column, or see the base class."""
        values = column_values(self.data.columns, examples, slice_by)
        return super().slice_values(outputs, examples, slice_by) if values is None else values

    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the metrics of the mean, of the logarithm where the target says so."""
        targets = np.asarray(examples.targets, "float64")
        mean = np.exp(np.log(targets).mean()) if self.data.log else targets.mean()
        return self.score(np.full(len(validation), mean), validation)


class ScaledSquaredError(keras.losses.Loss):
    """The mean squared error of values in a unit: their own may have no square in float32.

    Args:
        scale: The unit.
    """

    def __init__(self, scale: float = 1.0) -> None:
        """Create the loss."""
        super().__init__(name="squared_error")
        self.scale = scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the squared error of each example."""
        return keras.ops.square((y_true - y_pred) / self.scale)


class RootMeanSquaredError(keras.metrics.RootMeanSquaredError):
    """The root mean squared error, summed up in a unit, and reported in that of the values.

    Args:
        scale: The unit.
        **kwargs: As in `keras.metrics.RootMeanSquaredError`.
    """

    def __init__(self, scale: float = 1.0, **kwargs: Any) -> None:
        """Create the metric."""
        super().__init__(**kwargs)
        self.scale = scale

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        super().update_state(y_true / self.scale, y_pred / self.scale, sample_weight)

    def result(self) -> Any:
        """Return the error so far."""
        return super().result() * self.scale


def squared_log_error(targets: Any, values: Any) -> Any:
    """Return the squared difference of the logarithms of positive values, `[batch]`."""
    return keras.ops.square(keras.ops.log(targets) - keras.ops.log(values))


class RootMeanSquaredLogError(keras.metrics.RootMeanSquaredError):
    """The root mean squared difference of the natural logarithms."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        super().update_state(keras.ops.log(y_true), keras.ops.log(y_pred), sample_weight)
