"""Training of an ensemble whose members leave a fold of the examples out, which validates them.

Source: Breiman 1996, "Stacked Regressions": members of cross-validation; their average predicts.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

_LOSSES = "member_losses"


class FoldEnsembleTrainer(keras.Model):
    """The members of an ensemble before their mean is taken, which is what `fit` trains.

    Targets `[batch, members, ...]` and weights `[batch, members]` say which member learns from, or
    is validated on, which example. `member_losses` has the loss of each after a validation.

    Args:
        inputs: Of the ensemble.
        outputs: The outputs of its members, `[batch, members, ...]`.
        **options: As in `keras.Model`.
    """

    def compile(
        self, optimizer: Any, *, loss: keras.losses.Loss, metrics: Sequence[Any], **options: Any
    ) -> None:
        """Set what Keras' `compile` does; metrics count what has a weight."""
        members = self.output_shape[1]
        by_member = MemberLosses(loss, members, name=_LOSSES)
        weighted = [*metrics, by_member]
        super().compile(optimizer, loss=loss, weighted_metrics=weighted, **options)
        self._by_member = by_member

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the metrics that are one number."""
        metrics = super().get_metrics_result()
        return {name: value for name, value in metrics.items() if name != _LOSSES}

    @property
    def member_losses(self) -> np.ndarray:
        """The loss of each member on the examples of the last validation, `[members]`."""
        return ops.convert_to_numpy(self._by_member.by_member())


class MemberLosses(keras.metrics.Metric):
    """The weighted mean loss of each member.

    Args:
        loss: Its `call` returns `[batch, members]`.
        members: How many there are.
        **options: As in `keras.metrics.Metric`.
    """

    def __init__(self, loss: keras.losses.Loss, members: int, **options: Any) -> None:
        super().__init__(**options)
        self.loss = loss
        self.total = self.add_weight(shape=(members,), initializer="zeros", name="total")
        self.count = self.add_weight(shape=(members,), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        losses = ops.cast(self.loss.call(y_true, y_pred), "float32")
        weights = ops.ones_like(losses) if sample_weight is None else sample_weight
        weights = ops.cast(weights, "float32")
        self.total.assign_add(ops.sum(losses * weights, axis=0))
        self.count.assign_add(ops.sum(weights, axis=0))

    def by_member(self) -> Any:
        """Return the mean of each, NaN where nothing validated it."""
        return self.total / self.count

    def result(self) -> Any:
        """Return the mean of all."""
        return ops.mean(self.by_member())
