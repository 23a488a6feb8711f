"""Copies of a model for inference alone: folded batch normalization, and a lower precision.

The copy is a functional model too, so a task writes its signatures the same way.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.exporting.arguments import Precision, check_precision
from keras_fm.layers import TransformerDecoder
from keras_fm.layers.normalization import scale_and_offset
from keras_fm.models.backbone import EMBEDDING_LAYER
from keras_fm.models.spec import attach_spec, spec_of
from keras_fm.models.transfer import copy_weights

_TRANSPOSED = keras.layers.Conv2DTranspose  # the inputs are the last axis of its kernel
# Layers whose kernel and bias can take in a scale and an offset of each channel.
LINEAR_LAYERS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    _TRANSPOSED,
)
# Layers that are stored in bfloat16.
_KERNEL_LAYERS = (
    *LINEAR_LAYERS,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
    keras.layers.MultiHeadAttention,
    TransformerDecoder,
)
# Layers that may stand between: the maximum of scaled values, if the scales are positive.
_MAX_POOLING = keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D


def inference_model(model: keras.Model, precision: Precision = "float32") -> keras.Model:
    """Copy the model for inference.

    Each batch normalization that follows a convolution or a dense layer is folded into its kernel
    and bias, also through a max pooling between them.

    Args:
        model: Any functional model of the zoo.
        precision: "bfloat16" lets the layers with kernels, and those that read them, compute and be
            stored in it; the outputs stay float32. "int8" has Keras quantize the layers that it
            can: dense layers and embeddings.

    Raises:
        InvalidInputError: Another precision, or a model that has nothing to quantize.
    """
    check_precision(precision)
    graph = _Graph.from_model(model)
    folded = _foldable(model, graph)
    policies = _bfloat16_policies(model, graph) if precision == "bfloat16" else {}
    norms = {norm.name for norm in folded.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        if layer.name in policies:
            config["dtype"] = policies[layer.name]
        return type(layer).from_config(config)

    copy = keras.models.clone_model(
        model,
        clone_function=clone,
        call_function=lambda layer, *inputs, **options: (
            inputs[0] if layer.name in norms else layer(*inputs, **options)
        ),
    )
    names = [layer.name for layer in copy.layers]
    copy_weights(model, copy, [name for name in names if name not in folded])
    for name, norm in folded.items():
        copy.get_layer(name).set_weights(_fold(model.get_layer(name), norm))
    if precision == "int8":
        _quantize(copy)
    return attach_spec(copy, spec_of(model))


def with_constant_weights(model: keras.Model, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `fn` so that the model's weights are constants in its graph.

    TensorFlow then computes in advance what depends on them alone, such as the order in which
    oneDNN wants a kernel. It costs memory: each signature has its own copy of the constants.
    """
    values = [(weight, keras.ops.convert_to_numpy(weight)) for weight in model.variables]

    def with_constants(*inputs: Any) -> Any:
        constants = [(weight, tf.constant(value, weight.dtype)) for weight, value in values]
        with keras.StatelessScope(state_mapping=constants):
            return fn(*inputs)

    return with_constants


@dataclass
class _Graph:
    """Connections of a model's layers, by their names.

    Attributes:
        sources: The layers that each layer reads.
        num_readers: How many layers read each layer.
        outputs: The layers of the model's outputs.
    """

    sources: dict[str, list[str]] = field(default_factory=dict)
    num_readers: Counter[str] = field(default_factory=Counter)
    outputs: set[str] = field(default_factory=set)

    @classmethod
    def from_model(cls, model: keras.Model) -> "_Graph":
        graph = cls()
        # Layer and tensor by the tensor's id, which is unique while the tensor lives.
        producers: dict[int, tuple[str, Any]] = {}

        def call(layer: keras.Layer, *inputs: Any, **options: Any) -> Any:
            outputs = layer(*inputs, **options)
            tensors = keras.tree.flatten((inputs, options))
            sources = [producers[id(x)][0] for x in tensors if id(x) in producers]
            graph.sources.setdefault(layer.name, []).extend(sources)
            graph.num_readers.update(sources)
            producers.update((id(x), (layer.name, x)) for x in keras.tree.flatten(outputs))
            return outputs

        copy = keras.models.clone_model(model, call_function=call)
        graph.outputs = {producers[id(x)][0] for x in copy.outputs if id(x) in producers}
        return graph


def _foldable(model: keras.Model, graph: _Graph) -> dict[str, keras.Layer]:
    """Return the batch normalization that each layer can take in, by that layer's name."""
    foldable = {}
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization) or norm.name == EMBEDDING_LAYER:
            continue
        scale, _ = scale_and_offset(norm)
        name, path = norm.name, [norm.name]
        while len(graph.sources.get(name, [])) == 1:
            [name] = graph.sources[name]
            path.append(name)
            if not (isinstance(model.get_layer(name), _MAX_POOLING) and (scale > 0).all()):
                break
        layer = model.get_layer(name)
        shared = {name for name in path if graph.num_readers[name] > 1}
        has_other_readers = not {EMBEDDING_LAYER, *graph.outputs, *shared}.isdisjoint(path[1:])
        is_linear = getattr(layer, "activation", None) is keras.activations.linear
        if (
            isinstance(layer, LINEAR_LAYERS)
            and is_linear
            and not has_other_readers
            and _is_per_channel(norm)
        ):
            foldable[layer.name] = norm
    return foldable


def _is_per_channel(norm: keras.layers.BatchNormalization) -> bool:
    return norm.axis in (-1, len(norm.input.shape) - 1)


def _fold(layer: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    """Compute kernel and bias of a layer that includes the normalization behind it."""
    kernel, *bias = (weight.astype("float64") for weight in layer.get_weights())
    scale, offset = scale_and_offset(norm)
    kernel_scale = scale[:, None] if isinstance(layer, _TRANSPOSED) else scale
    return [kernel * kernel_scale, (bias[0] * scale if bias else 0) + offset]


def _bfloat16_policies(model: keras.Model, graph: _Graph) -> dict[str, str]:
    """Return the dtype policy of each layer that computes in bfloat16, by its name.

    Layers before the first kernel keep the inputs' precision: a price, a number of tokens.
    Recurrent layers stay in float32: in bfloat16 one text took three times as long.
    """
    policies: dict[str, str] = {}
    for layer in model.layers:
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
            continue
        has_kernel = isinstance(layer, _KERNEL_LAYERS)
        reads_bfloat16 = any(source in policies for source in graph.sources.get(layer.name, []))
        if layer.name not in graph.outputs and (has_kernel or reads_bfloat16):
            policies[layer.name] = "bfloat16" if has_kernel else "mixed_bfloat16"
    return policies


def _quantize(model: keras.Model) -> None:
    dtypes = {weight.dtype for weight in model.weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning for each layer that Keras can't quantize
        model.quantize("int8")
    if not {weight.dtype for weight in model.weights} - dtypes:
        raise InvalidInputError(
            f"{model.name} has no layer that Keras can quantize to int8: only dense layers and "
            "embeddings; bfloat16 is for convolutions"
        )
