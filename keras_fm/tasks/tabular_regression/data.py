"""Rows and their values."""

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.tasks.tabular import TabularData


class RegressionData(TabularData):
    """Targets are finite numbers; those of a log target are above 0."""

    @property
    def log(self) -> bool:
        """Whether the model is trained and evaluated on the target's logarithm."""
        return self.spec.target is not None and self.spec.target.log

    @property
    def scale(self) -> float:
        """The unit of the loss, a power of ten."""
        target = self.spec.target
        return 1.0 if target is None or target.scale is None else target.scale

    def validate_targets(self, examples: Examples) -> None:
        """Raise a `DataError` where a target is not a finite number, or has no logarithm."""
        targets = np.asarray(examples.targets)
        if targets.dtype.kind not in "fiu" or not np.isfinite(targets).all():
            raise DataError(f"{examples.description}: expected finite numbers as targets")
        largest = np.abs(targets).max(initial=0)
        if largest > np.finfo("float32").max:
            raise DataError(
                f"{examples.description}: expected targets that float32 holds; received one of "
                f"{largest:.3g}: divide them"
            )
        if self.log and (targets <= 0).any():
            raise DataError(
                f"{examples.description}: the model is trained on the logarithm, and "
                f"{(targets <= 0).sum()} targets are not above 0"
            )

    def targets(self, examples: Examples) -> np.ndarray:
        """Return the values, float32 `[examples]`."""
        return np.asarray(examples.targets, "float32")
