"""The same model made for answering alone: batch normalisation folded, numbers as short as asked.

What comes out is a functional model as what went in, so each task writes its signatures the same.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.layers.normalization import scale_and_offset
from keras_fm.models.backbone import EMBEDDING_LAYER
from keras_fm.models.spec import attach_spec, spec_of
from keras_fm.models.transfer import copy_weights

Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

# Where a scale and an offset of each channel can go.
_TRANSPOSED = keras.layers.Conv2DTranspose  # the inputs are the last axis of its kernel
LINEAR_LAYERS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    _TRANSPOSED,
)
# What is stored in bfloat16.
_KERNELS = (
    *LINEAR_LAYERS,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
    keras.layers.MultiHeadAttention,
)
# What may stand between: it takes the largest of scaled values, and the scales are positive.
_POOLING = keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D


def inference_model(model: keras.Model, precision: Precision = "float32") -> keras.Model:
    """A copy of the model that only answers.

    Each batch normalisation that follows a convolution or a dense layer is multiplied into its
    kernel and bias, also through a max pooling between them.

    Args:
        precision: "bfloat16" lets the layers with kernels, and what reads them, compute and be
            stored in it; the answer stays float32. "int8" has Keras quantise the layers that it
            can: dense ones and embeddings.

    Raises:
        InvalidInputError: another precision, or a model that has nothing to quantise.
    """
    if precision not in PRECISIONS:
        raise InvalidInputError(
            f"precision is one of {', '.join(PRECISIONS)}; received {precision!r}"
        )
    graph = _Graph.of(model)
    folded = _foldable(model, graph)
    computes = _in_bfloat16(model, graph) if precision == "bfloat16" else {}
    norms = {norm.name for norm in folded.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        if layer.name in computes:
            config["dtype"] = computes[layer.name]
        return type(layer).from_config(config)

    copy = keras.models.clone_model(
        model,
        clone_function=clone,
        call_function=lambda layer, *given, **options: (
            given[0] if layer.name in norms else layer(*given, **options)
        ),
    )
    names = [layer.name for layer in copy.layers]
    copy_weights(model, copy, [name for name in names if name not in folded])
    for name, norm in folded.items():
        copy.get_layer(name).set_weights(_fold(model.get_layer(name), norm))
    if precision == "int8":
        _quantise(copy)
    return attach_spec(copy, spec_of(model))


def with_constant_weights(model: keras.Model, answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer`, in whose graph the model's weights are constants.

    TensorFlow then computes in advance what depends on them alone, as the order in which oneDNN
    wants a kernel. It costs memory: each signature has constants of its own.
    """
    values = [(weight, keras.ops.convert_to_numpy(weight)) for weight in model.variables]

    def with_constants(*inputs: Any) -> Any:
        constants = [(weight, tf.constant(value, weight.dtype)) for weight, value in values]
        with keras.StatelessScope(state_mapping=constants):
            return answer(*inputs)

    return with_constants


@dataclass
class _Graph:
    """Which layers each layer reads, how many read it, and which ones make the answer."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    answers: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, model: keras.Model) -> "_Graph":
        graph = cls()
        made: dict[int, tuple[str, Any]] = {}  # by a tensor's id, which only holds while it lives

        def call(layer: keras.Layer, *given: Any, **options: Any) -> Any:
            outputs = layer(*given, **options)
            read = [made[id(x)][0] for x in keras.tree.flatten((given, options)) if id(x) in made]
            graph.sources.setdefault(layer.name, []).extend(read)
            graph.readers.update(read)
            made.update((id(x), (layer.name, x)) for x in keras.tree.flatten(outputs))
            return outputs

        copy = keras.models.clone_model(model, call_function=call)
        graph.answers = {made[id(x)][0] for x in copy.outputs if id(x) in made}
        return graph


def _foldable(model: keras.Model, graph: _Graph) -> dict[str, keras.Layer]:
    """The batch normalisation that each layer can take in, by that layer's name."""
    found = {}
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization) or norm.name == EMBEDDING_LAYER:
            continue
        scale, _ = scale_and_offset(norm)
        name, ways = norm.name, [norm.name]
        while len(graph.sources.get(name, [])) == 1:
            [name] = graph.sources[name]
            ways.append(name)
            if not (isinstance(model.get_layer(name), _POOLING) and (scale > 0).all()):
                break
        layer = model.get_layer(name)
        seen = {EMBEDDING_LAYER, *graph.answers, *(way for way in ways if graph.readers[way] > 1)}
        linear = getattr(layer, "activation", None) is keras.activations.linear
        alone = seen.isdisjoint(ways[1:])
        if isinstance(layer, LINEAR_LAYERS) and linear and alone and _by_channel(norm):
            found[name] = norm
    return found


def _by_channel(norm: keras.layers.BatchNormalization) -> bool:
    return norm.axis in (-1, len(norm.input.shape) - 1)


def _fold(layer: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    """The kernel and bias of a layer and the normalisation behind it."""
    kernel, *bias = (weight.astype("float64") for weight in layer.get_weights())
    scale, offset = scale_and_offset(norm)
    along = scale[:, None] if isinstance(layer, _TRANSPOSED) else scale
    return [kernel * along, (bias[0] * scale if bias else 0) + offset]


def _in_bfloat16(model: keras.Model, graph: _Graph) -> dict[str, str]:
    """The dtype policy of each layer that computes in bfloat16.

    What stands before the first kernel keeps the inputs' precision: a price, a number of pieces.
    A recurrent layer's kernels are stored in float32, for its initialiser knows nothing shorter.
    """
    policies: dict[str, str] = {}
    for layer in model.layers:
        has_kernel = isinstance(layer, _KERNELS)
        reads = any(source in policies for source in graph.sources.get(layer.name, []))
        if layer.name not in graph.answers and (has_kernel or reads):
            policies[layer.name] = "bfloat16" if has_kernel else "mixed_bfloat16"
    return policies


def _quantise(model: keras.Model) -> None:
    before = {weight.dtype for weight in model.weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning for each layer that Keras can't quantise
        model.quantize("int8")
    if not {weight.dtype for weight in model.weights} - before:
        raise InvalidInputError(
            f"{model.name} has no layer that Keras can quantise to int8: only dense layers and "
            "embeddings; bfloat16 is for convolutions"
        )
