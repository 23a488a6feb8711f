"""A custom training step that is written once, for TensorFlow and for JAX."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Losses = Sequence[Any]
Variables = Sequence[keras.Variable]


class CustomTrainer(keras.Model):
    """What `fit` trains in place of a model, where a step is more than the gradient of one loss.

    A subclass writes `step` as for TensorFlow, where variables change in place, and takes gradients
    by `gradients` alone. JAX' `fit` hands the state of all variables to a step and wants it back;
    here the step runs in a scope in which they seem to change. On a third backend there are no
    gradients: a subclass says so by `need_tensorflow`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.built = True

    @abstractmethod
    def step(self, data: Any) -> dict[str, Any]:
        """Train on one batch and return the metrics by name."""

    def train_step(self, *arguments: Any) -> Any:
        """Run a step; Keras calls it with a batch on TensorFlow, with the state too on JAX."""
        if keras.backend.backend() == "tensorflow":
            return self.step(*arguments)
        state, data = arguments
        groups = self._variable_groups()
        mapping = [
            pair
            for variables, values in zip(groups, state, strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(mapping) as self._scope:
            metrics = self.step(data)
        new_state = tuple(
            [self._scope.get_current_value(variable) for variable in group] for group in groups
        )
        return metrics, new_state

    def gradients(
        self,
        function: Callable[..., tuple[Losses, Any]],
        variables: Sequence[Variables],
        *tensors: Any,
    ) -> tuple[Losses, Any, list[list[Any]]]:
        """Compute losses and their gradients.

        Args:
            function: Of the `tensors`; returns scalar losses, and anything else.
            variables: For each loss, the variables to differentiate it with respect to.
            *tensors: With respect to which every loss is differentiated, too.

        Returns:
            The losses, what else there was, and the gradients of each loss: with respect to the
            tensors, then to its variables.
        """
        if keras.backend.backend() == "tensorflow":
            return _tensorflow_gradients(function, variables, tensors)
        return self._jax_gradients(function, variables, tensors)

    def _jax_gradients(
        self, function: Any, variables: Sequence[Variables], tensors: Sequence[Any]
    ) -> Any:
        import jax

        all_variables = [variable for group in self._variable_groups() for variable in group]
        with_respect_to = [variable for wanted in variables for variable in wanted]
        outer = self._scope

        def stateless(values: list[Any], tensors: Sequence[Any]) -> Any:
            current = [(variable, outer.get_current_value(variable)) for variable in all_variables]
            replaced = zip(with_respect_to, values, strict=True)
            with keras.StatelessScope([*current, *replaced]) as self._scope:
                losses, auxiliary = function(*tensors)
            new_values = [self._scope.get_current_value(variable) for variable in all_variables]
            return list(losses), (auxiliary, new_values)

        try:
            values = [outer.get_current_value(variable) for variable in with_respect_to]
            losses, vjp, (auxiliary, new_values) = jax.vjp(stateless, values, tensors, has_aux=True)
        finally:
            self._scope = outer
        unchanged = {id(variable) for variable in with_respect_to}
        for variable, value in zip(all_variables, new_values, strict=True):
            if id(variable) not in unchanged:  # such as a moving mean
                variable.assign(value)
        gradients, start = [], 0
        for number, wanted in enumerate(variables):
            cotangents = [ops.full_like(loss, index == number) for index, loss in enumerate(losses)]
            by_values, by_tensors = vjp(cotangents)
            gradients.append([*by_tensors, *by_values[start : start + len(wanted)]])
            start += len(wanted)
        return losses, auxiliary, gradients

    def _variable_groups(self) -> tuple[Variables, ...]:
        """In the order in which JAX' `fit` hands over their values."""
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )


def _tensorflow_gradients(
    function: Any, variables: Sequence[Variables], tensors: Sequence[Any]
) -> Any:
    import tensorflow as tf

    with tf.GradientTape(persistent=len(variables) > 1) as tape:
        for tensor in tensors:
            tape.watch(tensor)
        losses, auxiliary = function(*tensors)
    gradients = [
        # Those of an embedding are slices, which have no sum.
        [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, [*tensors, *wanted])]
        for loss, wanted in zip(losses, variables, strict=True)
    ]
    return losses, auxiliary, gradients
