"""A decoder's block computes all positions at once, and one at a time, the same."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fm.layers import CausalSelfAttention, RotaryMultiHeadAttention, TransformerDecoder

WINDOW = 5
LENGTHS = [1, 4, WINDOW, WINDOW + 1, 2 * WINDOW, 3 * WINDOW + 2]


def sequences(length: int, batch: int = 3, width: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, length, width)).astype("float32")


def random_weights(layer: keras.Layer) -> keras.Layer:
    """The layer with other weights than zeros, with which it would return its inputs."""
    layer.build((None, None, 8))
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=weights.shape) for weights in layer.get_weights()])
    return layer


@pytest.fixture(params=[CausalSelfAttention, TransformerDecoder], ids=lambda kind: kind.__name__)
def layer(request):
    options = {"intermediate_dim": 12} if request.param is TransformerDecoder else {}
    return random_weights(request.param(num_heads=2, sliding_window=WINDOW, **options))


def step_by_step(layer: keras.Layer, inputs: np.ndarray) -> np.ndarray:
    cache, outputs = layer.get_initial_state(len(inputs)), []
    for position in range(inputs.shape[1]):
        output, cache = layer.step(inputs[:, position], cache)
        outputs.append(ops.convert_to_numpy(output))
    assert {len(array[0]) for array in cache} == {WINDOW}  # it does not grow
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("length", LENGTHS)
def test_steps_and_training_compute_what_the_call_computes(layer, length):
    inputs = sequences(length)
    expected = ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(step_by_step(layer, inputs), expected, rtol=1e-4, atol=1e-4)
    trained = ops.convert_to_numpy(layer(inputs, training=True))
    np.testing.assert_allclose(trained, expected, rtol=1e-4, atol=1e-4)


def test_a_position_sees_those_of_its_window_alone():
    attention = random_weights(CausalSelfAttention(2, WINDOW))
    inputs = sequences(12)
    outputs = ops.convert_to_numpy(attention(inputs))
    for changed in (0, 3, 11):
        other = inputs.copy()
        other[:, changed] += 1
        difference = np.abs(ops.convert_to_numpy(attention(other)) - outputs).max((0, 2))
        sees = np.isin(np.arange(12), np.arange(changed, changed + WINDOW))
        assert (difference[sees] > 1e-3).all()
        np.testing.assert_allclose(difference[~sees], 0, atol=1e-5)


def test_attention_over_a_long_window_is_causal_rotary_attention():
    attention = random_weights(CausalSelfAttention(2, 64))
    rotary = RotaryMultiHeadAttention(2, 4, use_bias=False)
    inputs = sequences(6)
    rotary.build(inputs.shape, inputs.shape)
    pairs = zip(attention.get_weights(), rotary.get_weights(), strict=True)
    rotary.set_weights([kernel.reshape(own.shape) for kernel, own in pairs])
    expected = ops.convert_to_numpy(rotary(inputs, inputs, use_causal_mask=True))
    np.testing.assert_allclose(
        ops.convert_to_numpy(attention(inputs)), expected, rtol=1e-4, atol=1e-4
    )


def test_a_block_passes_its_inputs_on_before_it_is_trained():
    inputs = sequences(7)
    block = TransformerDecoder(2, 12, WINDOW)
    np.testing.assert_array_equal(ops.convert_to_numpy(block(inputs)), inputs)


def test_dropout_is_of_training_alone():
    block = random_weights(TransformerDecoder(2, 12, WINDOW, dropout=0.5))
    inputs = sequences(7)
    first, second = (ops.convert_to_numpy(block(inputs)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(ops.convert_to_numpy(block(inputs, training=True)) - first).max() > 0.1


@pytest.mark.parametrize(("width", "heads"), [(10, 4), (6, 2), (8, 3)])
def test_heads_have_pairs_of_features(width, heads):
    with pytest.raises(ValueError, match=f"twice the number of heads, {heads}; received {width}"):
        CausalSelfAttention(heads, WINDOW).build((None, None, width))


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16"])
def test_all_of_a_block_has_its_dtype(policy):
    block = TransformerDecoder(2, 12, WINDOW, dropout=0.1, dtype=policy)
    outputs = block(sequences(7))
    assert keras.backend.standardize_dtype(outputs.dtype) == block.compute_dtype
    assert {variable.dtype for variable in block.variables if "seed" not in variable.path} == {
        block.variable_dtype
    }
    output, _ = block.step(outputs[:, 0], block.get_initial_state(3))
    assert keras.backend.standardize_dtype(output.dtype) == block.compute_dtype
