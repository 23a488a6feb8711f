"""Values of rows."""

from typing import Any

import numpy as np

from keras_fm.tasks.tabular import TabularPredictor


class RegressionPredictor(TabularPredictor):
    """Predictions of a model whose last layer is called `value`."""

    @property
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """One value."""
        return "value", ()

    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """Return `value` of each row."""
        return [{"value": value} for value in outputs.tolist()]

    def target_scores(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return the values themselves."""
        return outputs

    def target_gradients(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return ones."""
        return np.ones_like(outputs)
