"""Optimizers that know how long the gradient of their last step was."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
from keras import ops


@cache
def with_gradient_norm(
    optimizer: type[keras.optimizers.Optimizer],
) -> type[keras.optimizers.Optimizer]:
    """Return the class of an optimizer whose `gradient_norm` is that of its last step.

    It is the Euclidean norm of the gradients of all variables together, before they are clipped: a
    float32 variable, which is 0 before the first step.

    Args:
        optimizer: The class, such as `keras.optimizers.Adam`.
    """
    return type(optimizer.__name__, (_GradientNorm, optimizer), {"__doc__": optimizer.__doc__})


class _GradientNorm(keras.optimizers.Optimizer):
    """Adds a variable to an optimizer: so JAX' `fit`, which hands on its state, has it too."""

    def build(self: Any, variables: Sequence[keras.Variable]) -> None:
        is_built = self.built
        super().build(variables)
        if not is_built:
            self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")

    def apply(
        self: Any, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None
    ) -> None:
        super().apply(grads, trainable_variables)
        squares = [_sum_of_squares(gradient) for gradient in grads if gradient is not None]
        if squares:
            self.gradient_norm.assign(ops.sqrt(sum(squares)))


def _sum_of_squares(gradient: Any) -> Any:
    if hasattr(gradient, "indices"):  # TensorFlow's slices, of which several can be of one row
        import tensorflow as tf

        gradient = tf.convert_to_tensor(gradient)
    return ops.sum(ops.square(ops.cast(gradient, "float32")))
