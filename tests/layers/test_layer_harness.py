"""Every layer passes Keras' own harness, and computes what Keras' own layer of the kind computes.

`.ci/run` calls this file with `KERAS_BACKEND=jax` too.
"""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing.test_case import TestCase

from keras_fm import layers
from keras_fm.layers import (
    CausalSelfAttention,
    EnsembleMean,
    FastLayerNormalization,
    FastLSTM,
    FusedBatchNormalization,
    ImputeMissing,
    MaskedGlobalAveragePooling1D,
    MaskedGlobalMaxPooling1D,
    MeanProbability,
    PackedConv2D,
    PiecewiseLinearEncoding,
    ReverseSequence,
    RotaryMultiHeadAttention,
    SmoothClip,
    TransformerDecoder,
)
from keras_fm.layers.initializers import Dirac, Rademacher

HARNESS = TestCase("run_layer_test")
IS_TENSORFLOW = keras.backend.backend() == "tensorflow"
# Keras' convolutions on a CPU: TensorFlow has none with the channels first, JAX has.
CHANNELS_FIRST = [] if IS_TENSORFLOW else [{"data_format": "channels_first"}]
HAS_RENORM = "renorm" in inspect.signature(keras.layers.BatchNormalization).parameters

# Of the harness' own training step.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The model does not have any trainable weights"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),
]

# Each fast layer with Keras' own: options and shape of the input.
BATCH_NORMALIZATION = [
    ({}, (4, 5, 3, 6)),
    ({"center": False}, (4, 5, 3, 6)),
    ({"scale": False}, (4, 5, 3, 6)),
    ({"center": False, "scale": False}, (4, 5, 3, 6)),
    ({"momentum": 0.8, "epsilon": 1e-5}, (9, 7, 7, 3)),
    ({"axis": 3}, (4, 5, 3, 6)),
    ({"axis": 1}, (4, 5, 3, 6)),
    ({"axis": -2}, (4, 5, 3, 6)),
    ({"axis": 1, "center": False}, (4, 5, 3)),
    ({}, (6, 4)),
    ({"scale": False}, (6, 3, 4)),
    ({}, (2, 3, 4, 2, 5)),
    *([({"renorm": True}, (4, 5, 3, 6))] if HAS_RENORM else []),
]
LAYER_NORMALIZATION = [
    ({}, (5, 16)),
    ({}, (2, 3, 16)),
    ({"epsilon": 1e-5}, (2, 3, 4, 16)),
    ({"axis": 2}, (2, 3, 16)),
    ({"axis": 1}, (2, 3, 16)),
    ({"axis": [1, 2]}, (2, 3, 16)),
    ({"center": True}, (2, 3, 16)),
    ({"scale": False}, (2, 3, 16)),
    ({"center": True, "scale": False}, (2, 3, 16)),
]
CONVOLUTION = [
    ({}, (5, 7, 7, 6)),
    ({"pack": 1}, (5, 7, 7, 6)),
    ({"pack": 3}, (7, 4, 9, 6)),
    ({"kernel_size": 1}, (5, 7, 7, 6)),
    ({"kernel_size": 2}, (5, 7, 7, 6)),
    ({"kernel_size": 4}, (5, 7, 7, 6)),
    ({"kernel_size": 5}, (9, 7, 7, 6)),
    ({"kernel_size": (3, 7)}, (9, 5, 5, 6)),
    ({"use_bias": True}, (5, 7, 7, 6)),
    ({"activation": "relu"}, (5, 7, 7, 6)),
    ({"activation": "tanh", "use_bias": True}, (5, 7, 7, 6)),
    ({"strides": 2}, (5, 7, 7, 6)),
    ({"strides": (1, 2)}, (5, 7, 7, 6)),
    ({"dilation_rate": 2}, (5, 7, 7, 6)),
    ({"groups": 2}, (5, 7, 7, 6)),
    ({"padding": "valid"}, (5, 7, 7, 6)),
    *((options, (5, 6, 7, 7)) for options in CHANNELS_FIRST),
]
RECURRENT = [
    ({}, (3, 7, 5)),
    ({"return_sequences": True}, (3, 7, 5)),
    ({"return_sequences": True}, (1, 1, 1)),
    ({"return_state": True}, (3, 7, 5)),
    ({"return_sequences": True, "return_state": True}, (3, 7, 5)),
    ({"go_backwards": True}, (3, 7, 5)),
    ({"go_backwards": True, "return_sequences": True, "return_state": True}, (3, 7, 5)),
    ({"unroll": True, "return_sequences": True}, (3, 7, 5)),
    ({"stateful": True}, (3, 7, 5)),
    ({"stateful": True, "return_sequences": True, "return_state": True}, (3, 7, 5)),
    ({"use_bias": False}, (3, 7, 5)),
    ({"unit_forget_bias": False}, (3, 7, 5)),
    ({"activation": "relu"}, (3, 7, 5)),
    ({"recurrent_activation": "hard_sigmoid"}, (3, 7, 5)),
    ({"implementation": 1}, (3, 7, 5)),
    ({"dropout": 1.0, "recurrent_dropout": 1.0}, (3, 7, 5)),  # no dropout, says Keras
    ({"zero_output_for_mask": True, "return_sequences": True}, (3, 7, 5)),
]
TWINS = [
    *(
        (FusedBatchNormalization, keras.layers.BatchNormalization, {}, *c)
        for c in BATCH_NORMALIZATION
    ),
    *(
        (FastLayerNormalization, keras.layers.LayerNormalization, {"center": False}, *c)
        for c in LAYER_NORMALIZATION
    ),
    *(
        (PackedConv2D, keras.layers.Conv2D, {"padding": "same", "use_bias": False}, *c)
        for c in [({"filters": 4, "kernel_size": 3, **o}, shape) for o, shape in CONVOLUTION]
    ),
    *((FastLSTM, keras.layers.LSTM, {}, {"units": 6, **o}, shape) for o, shape in RECURRENT),
]  # fmt: skip


def quick(cases: list[tuple], count: int = 2) -> list[Any]:
    """Return the cases with all but the first `count` of each layer marked as thorough."""
    layers_before = [case[0] for case in cases]
    return [
        pytest.param(
            *case, marks=[pytest.mark.thorough] * (layers_before[:index].count(case[0]) >= count)
        )
        for index, case in enumerate(cases)
    ]


# Only the LSTM has a fast step on JAX; the harness tests the others there.
COMPARED = [case for case in TWINS if IS_TENSORFLOW or case[0] is FastLSTM]

# The other layers: options, shapes and dtypes of the inputs, and what the harness shall expect.
ATTENTION = [
    ({}, {}),
    ({"use_bias": False}, {}),
    *([({"value_dim": 3}, {})] if IS_TENSORFLOW else []),  # Keras has no such attention on JAX
    ({"output_shape": 5}, {"expected_output_shape": (2, 6, 5)}),
    ({"dropout": 0.1}, {}),
    ({"attention_axes": 1}, {}),
]
OTHERS = [
    (ImputeMissing, {}, (3, 4), None, {"expected_output_shape": (3, 8)}),
    (ImputeMissing, {}, (3, 2, 4), None, {"expected_output_shape": (3, 2, 8)}),
    *(
        (
            PiecewiseLinearEncoding,
            {"bins": bins},
            (3, 4),
            None,
            {"expected_output_shape": (3, 4, bins + 1), "expected_num_non_trainable_weights": 1},
        )
        for bins in (1, 5)
    ),
    (MeanProbability, {}, (3, 4, 2), None, {"expected_output_shape": (3, 2)}),
    *(
        (SmoothClip, {"limit": limit}, (3, 4), None, {"expected_output_shape": (3, 4)})
        for limit in (1.0, 3.0)
    ),
    *(
        (EnsembleMean, {"loss": loss}, (3, 4, 2), None,
         {"expected_output_shape": (3, 2), "expected_num_losses": 1})
        for loss in ("squared_error", "cross_entropy")
    ),
    *(
        (kind, {}, ((3, 5, 4), (3, 5)), ("float32", dtype),
         {"expected_output_shape": shape, "supports_masking": True})
        for kind, shape in [
            (ReverseSequence, (3, 5, 4)),
            (MaskedGlobalMaxPooling1D, (3, 4)),
            (MaskedGlobalAveragePooling1D, (3, 4)),
        ]
        for dtype in ("int32", "float32")
    ),
    (CausalSelfAttention, {"num_heads": 2, "sliding_window": 3}, (2, 7, 8), None, {}),
    (TransformerDecoder, {"num_heads": 2, "intermediate_dim": 12, "sliding_window": 3}, (2, 7, 8),
     None, {}),
    (TransformerDecoder, {"num_heads": 2, "intermediate_dim": 12, "sliding_window": 3,
     "dropout": 0.5}, (2, 7, 8), None, {"expected_num_seed_generators": 2}),
    (FusedBatchNormalization, {"beta_gain": 8.0}, (4, 5, 3, 6), None, {}),
    (FusedBatchNormalization, {"beta_gain": 8.0, "axis": 1}, (4, 5, 3), None, {}),
    (FusedBatchNormalization, {"beta_gain": 8.0, "center": False}, (4, 5, 3, 6), None, {}),
    *(
        (FastLSTM, {"units": 6, "return_sequences": True, "seed": 1, **rates}, (3, 7, 5), None,
         {"expected_num_seed_generators": 1})
        for rates in (
            {"dropout": 0.5},
            {"recurrent_dropout": 0.5},
            {"dropout": 0.5, "recurrent_dropout": 0.5},
            {"dropout": 1.0},
        )
    ),
]  # fmt: skip


def name_of(argument: Any) -> str | None:
    """Return the name of a class or the options of a case; None leaves it to pytest."""
    if isinstance(argument, type):
        return argument.__name__
    if isinstance(argument, dict):
        return ",".join(f"{name}={option}" for name, option in argument.items()) or "default"
    return str(argument) if isinstance(argument, (tuple, list)) else None


def test_every_layer_is_tested():
    tested = {case[0].__name__ for case in [*TWINS, *OTHERS]} | {"RotaryMultiHeadAttention"}
    assert tested == set(layers.__all__)


@pytest.mark.parametrize(
    ("kind", "plain", "defaults", "options", "shape"), quick(TWINS), ids=name_of
)
def test_a_fast_layer_passes_the_harness(kind, plain, defaults, options, shape):
    has_state = isinstance(options.get("return_state"), bool)
    HARNESS.run_layer_test(
        kind,
        options,
        input_shape=shape,
        supports_masking=plain(**plain_options(defaults, options)).supports_masking,
        # Its loss is of one output.
        run_training_check=not has_state,
        # Keras' variables of the state are not there before the first call.
        **({"expected_num_non_trainable_variables": None} if options.get("stateful") else {}),
    )


CONSTRUCTED = {
    **{case[0]: {**case[2], **case[3]} for case in TWINS},
    **{case[0]: case[1] for case in OTHERS},
    RotaryMultiHeadAttention: {"num_heads": 2, "key_dim": 8},
}


@pytest.mark.parametrize("kind", CONSTRUCTED, ids=name_of)
def test_a_layer_keeps_its_name_and_dtype_in_its_config(kind):
    """Keras makes the config of a layer without `get_config` of the arguments it can name."""
    layer = kind(**CONSTRUCTED[kind], name="my_layer", dtype="mixed_bfloat16", trainable=False)
    copy = kind.from_config(layer.get_config())
    assert (copy.name, copy.dtype_policy.name, copy.trainable) == (
        "my_layer",
        layer.dtype_policy.name,
        False,
    )


@pytest.mark.parametrize(
    ("kind", "options", "shape", "dtype", "expected"), quick(OTHERS), ids=name_of
)
def test_a_layer_passes_the_harness(kind, options, shape, dtype, expected):
    HARNESS.run_layer_test(kind, options, input_shape=shape, input_dtype=dtype, **expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [*ATTENTION[:2], *(pytest.param(*case, marks=pytest.mark.thorough) for case in ATTENTION[2:])],
    ids=name_of,
)
def test_attention_passes_the_harness(options, expected):
    HARNESS.run_layer_test(
        RotaryMultiHeadAttention,
        {"num_heads": 2, "key_dim": 8, **options},
        input_shape={"query_shape": (2, 6, 16), "value_shape": (2, 4, 16)},
        supports_masking=True,
        run_training_check=False,  # it gives the layer a dict
        **{"expected_output_shape": (2, 6, 16), **expected},
    )


@pytest.mark.parametrize("kind", [Dirac, Rademacher])
@pytest.mark.parametrize("seed", [None, 3, keras.random.SeedGenerator(3)])
def test_an_initializer_is_serialized(kind, seed):
    HARNESS.run_class_serialization_test(kind(seed))


def plain_options(defaults: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options for Keras' own layer."""
    return {**defaults, **{name: options[name] for name in options if name != "pack"}}


def train(layer: keras.Layer, inputs: np.ndarray) -> list[np.ndarray]:
    """Return outputs in training, gradients of inputs and weights, and the weights afterwards."""
    inputs = ops.convert_to_tensor(inputs)

    def loss_of(outputs: Any) -> Any:
        terms = (ops.sum(ops.sin(3 * ops.cast(x, "float32"))) for x in keras.tree.flatten(outputs))
        return sum(terms)

    if IS_TENSORFLOW:
        import tensorflow as tf

        weights = [weight.value for weight in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = loss_of(outputs)
        gradients = tape.gradient(loss, [inputs, *weights])
    else:
        import jax

        def forward(inputs: Any, weights: Any) -> Any:
            constants = [variable.value for variable in layer.non_trainable_variables]
            outputs, _ = layer.stateless_call(weights, constants, inputs, **training)
            return loss_of(outputs)

        training = {"training": True} if layer._call_has_training_arg else {}
        weights = [variable.value for variable in layer.trainable_variables]
        input_gradient, weight_gradients = jax.grad(forward, (0, 1))(inputs, weights)
        gradients = [input_gradient, *weight_gradients]
        outputs = layer(inputs, training=True)
    variables = [v for v in layer.variables if "seed_generator" not in v.path]
    results = [*keras.tree.flatten(outputs), *gradients, *variables]
    return [ops.convert_to_numpy(ops.cast(result, "float32")) for result in results]


def twins(kind, plain, defaults, options, shape, **dtype):
    """Return both layers with the same random weights, and inputs."""
    pair = kind(**options, **dtype), plain(**plain_options(defaults, options), **dtype)
    random = np.random.default_rng(0)
    for layer in pair:
        layer.build(shape)
    values = [random.uniform(0.2, 1, weight.shape) for weight in pair[1].get_weights()]
    for layer in pair:
        layer.set_weights(values)
    return *pair, random.normal(0.5, 1, shape).astype("float32")


@pytest.mark.parametrize(
    ("kind", "plain", "defaults", "options", "shape"), quick(COMPARED, 4), ids=name_of
)
def test_a_fast_layer_trains_as_keras_own(kind, plain, defaults, options, shape):
    fast, own, inputs = twins(kind, plain, defaults, options, shape)
    results = zip(train(fast, inputs), train(own, inputs), strict=True)
    examples = inputs.size // shape[-1]
    for result, expected in results:
        # The fused operation has the unbiased variance for the moving one.
        rtol = 1 / (examples - 1) if kind is FusedBatchNormalization else 1e-4
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=2e-4)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize(
    ("kind", "plain", "defaults", "options", "shape"), quick(COMPARED), ids=name_of
)
def test_a_fast_layer_trains_as_keras_own_in_another_precision(
    kind, plain, defaults, options, shape, dtype
):
    if dtype == "float64" and not IS_TENSORFLOW:
        pytest.skip("JAX has no float64 by default")
    fast, own, inputs = twins(kind, plain, defaults, options, shape, dtype=dtype)
    if dtype == "float64":
        inputs = inputs.astype("float64")
    assert {w.dtype for w in fast.weights} == {w.dtype for w in own.weights}
    fast_outputs, outputs = (keras.tree.flatten(x(inputs, training=True)) for x in (fast, own))
    for result, expected in zip(fast_outputs, outputs, strict=True):
        assert keras.backend.standardize_dtype(result.dtype) == keras.backend.standardize_dtype(
            expected.dtype
        )
        result, expected = (
            ops.convert_to_numpy(ops.cast(x, "float64" if dtype == "float64" else "float32"))
            for x in (result, expected)
        )
        exact = dtype == "float64"
        np.testing.assert_allclose(result, expected, atol=1e-12 if exact else 0.1)


@pytest.mark.parametrize(("kind", "plain", "defaults", "options", "shape"), COMPARED, ids=name_of)
def test_a_fast_layer_predicts_as_keras_own(kind, plain, defaults, options, shape):
    fast, own, inputs = twins(kind, plain, defaults, options, shape)
    for result, expected in zip(
        keras.tree.flatten(fast(inputs)), keras.tree.flatten(own(inputs)), strict=True
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


SHAPED = [
    *((kind, options, shape) for kind, _, _, options, shape in TWINS),
    *((kind, options, shape) for kind, options, shape, *_ in OTHERS),
]


@pytest.mark.parametrize(("kind", "options", "shape"), SHAPED, ids=name_of)
def test_the_shape_of_the_output_is_known_without_a_call(kind, options, shape):
    layer = kind(**options)
    batch = shape[0] if options.get("stateful") else None
    is_pair = isinstance(shape[0], tuple)
    shape = tuple((batch, *s[1:]) for s in shape) if is_pair else (batch, *shape[1:])
    inputs = tuple(map(keras.KerasTensor, shape)) if is_pair else keras.KerasTensor(shape)
    expected = keras.tree.map_structure(lambda output: tuple(output.shape), layer(inputs))
    assert layer.compute_output_shape(shape) == expected
