"""A training step of one's own that is written once, for TensorFlow and for JAX."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Losses = Sequence[Any]
Variables = Sequence[keras.Variable]


class CustomTrainer(keras.Model):
    """What `fit` trains in place of a model, where a step is more than one slope of one loss.

    A subclass writes `step` as for TensorFlow, where variables change in place, and takes slopes by
    `slopes` alone. JAX' `fit` hands the state of all variables to a step and wants it back; here
    the step runs in a scope in which they seem to change. On a third backend there are no slopes: a
    subclass says so by `need_tensorflow`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.built = True

    @abstractmethod
    def step(self, data: Any) -> dict[str, Any]:
        """Learns from one batch; its figures by name."""

    def train_step(self, *given: Any) -> Any:
        """Keras calls it: with a batch on TensorFlow, with the state and a batch on JAX."""
        if keras.backend.backend() == "tensorflow":
            return self.step(*given)
        state, data = given
        kinds = self._variables()
        mapping = [
            pair
            for variables, values in zip(kinds, state, strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(mapping) as self._scope:
            figures = self.step(data)
        after = tuple([self._scope.get_current_value(each) for each in kind] for kind in kinds)
        return figures, after

    def slopes(
        self,
        function: Callable[..., tuple[Losses, Any]],
        variables: Sequence[Variables],
        *tensors: Any,
    ) -> tuple[Losses, Any, list[list[Any]]]:
        """How losses rise.

        Args:
            function: of the `tensors`; scalar losses and anything else, both of which come back.
            variables: for each loss, along which its slopes are asked for.
            tensors: along which those of every loss are asked for, too.

        Returns:
            The losses, what else there was, and of each loss the slopes: by tensors, by variables.
        """
        if keras.backend.backend() == "tensorflow":
            return _tensorflow_slopes(function, variables, tensors)
        return self._jax_slopes(function, variables, tensors)

    def _jax_slopes(
        self, function: Any, variables: Sequence[Variables], tensors: Sequence[Any]
    ) -> Any:
        import jax

        known = [each for kind in self._variables() for each in kind]
        moved = [each for wanted in variables for each in wanted]
        outer = self._scope

        def pure(values: list[Any], tensors: Sequence[Any]) -> Any:
            now = [(each, outer.get_current_value(each)) for each in known]
            with keras.StatelessScope([*now, *zip(moved, values, strict=True)]) as self._scope:
                losses, rest = function(*tensors)
            after = [self._scope.get_current_value(each) for each in known]
            return list(losses), (rest, after)

        try:
            values = [outer.get_current_value(each) for each in moved]
            losses, pull, (rest, after) = jax.vjp(pure, values, tensors, has_aux=True)
        finally:
            self._scope = outer
        same = {id(each) for each in moved}
        for variable, value in zip(known, after, strict=True):
            if id(variable) not in same:  # such as a norm's moving mean
                variable.assign(value)
        found, first = [], 0
        for number, wanted in enumerate(variables):
            of_one = [ops.full_like(loss, place == number) for place, loss in enumerate(losses)]
            by_values, by_tensors = pull(of_one)
            found.append([*by_tensors, *by_values[first : first + len(wanted)]])
            first += len(wanted)
        return losses, rest, found

    def _variables(self) -> tuple[Variables, ...]:
        """In the order in which JAX' `fit` hands over their values."""
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )


def _tensorflow_slopes(
    function: Any, variables: Sequence[Variables], tensors: Sequence[Any]
) -> Any:
    import tensorflow as tf

    with tf.GradientTape(persistent=len(variables) > 1) as tape:
        for tensor in tensors:
            tape.watch(tensor)
        losses, rest = function(*tensors)
    found = [
        # Those of an embedding are slices, which have no sum.
        [tf.convert_to_tensor(slope) for slope in tape.gradient(loss, [*tensors, *wanted])]
        for loss, wanted in zip(losses, variables, strict=True)
    ]
    return losses, rest, found
