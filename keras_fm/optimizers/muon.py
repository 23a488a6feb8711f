"""Muon for the kernels of convolutions and of attention, too."""

import math
from typing import Any

import keras
from keras import ops

_OUTPUT_LAYER = "logits"
_ATTENTION_INPUTS = ("query", "key", "value")  # layers with kernels `[in, heads, out]`
_ATTENTION_OUTPUT = "attention_output"  # and the one with a kernel `[heads, in, out]`


@keras.saving.register_keras_serializable("keras_fm")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which orthogonalizes the updates of hidden layers' kernels.

    Keras' own takes kernels of two dimensions alone. This one takes those of convolutions, as
    matrices `[height * width * in, out]`, and those of multi-head attention, as matrices of all
    heads side by side. AdamW trains the rest: biases, scales, token embeddings, the layer `logits`,
    depthwise convolutions, and kernels with an axis for the members of an ensemble.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". The scale
    of the updates, Keras' default, is that of Liu et al. 2025, "Muon is Scalable for LLM Training"
    (arXiv:2502.16982): learning rate and weight decay are as for AdamW.

    Args:
        **kwargs: As in `keras.optimizers.Muon`.
    """

    def build(self, var_list: Any) -> None:
        """Create the optimizer's variables for a model's trainable ones."""
        super().build(var_list)
        # An update on TensorFlow has no path of its variable.
        self._matrix_shapes = [_matrix_shape(variable) for variable in var_list]

    def _should_use_adamw(self, variable: Any) -> bool:
        return _matrix_shape(variable) is None

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        direction = ops.add(gradient, self.momentum * m) if self.nesterov else m
        shape = self._matrix_shapes[self._get_variable_index(variable)]
        matrix = ops.reshape(direction, shape)
        update = self.lr_adjust(lr * self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, ops.reshape(update, variable.shape))


def _matrix_shape(variable: Any) -> tuple[int, int] | None:
    """Return the shape of a hidden layer's kernel as a matrix; None where AdamW trains it."""
    shape, names = tuple(variable.shape), variable.path.split("/")
    layer = names[-2] if len(names) > 1 else ""
    if names[-1] == "embeddings" or layer == _OUTPUT_LAYER:
        return None
    if len(shape) in (2, 4) or (len(shape) == 3 and layer == _ATTENTION_OUTPUT):
        rows = math.prod(shape[:-1])
    elif len(shape) == 3 and layer in _ATTENTION_INPUTS:
        rows = shape[0]
    else:
        return None
    columns = math.prod(shape) // rows
    return (rows, columns) if min(rows, columns) > 1 else None
