import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.layers import FastLSTM

if keras.backend.backend() != "tensorflow":
    pytest.skip("the test takes TensorFlow's gradients", allow_module_level=True)

ROWS, STEPS, WIDTH, UNITS = 3, 7, 5, 6


def pair(**options):
    """The fast layer and Keras' own, with the same weights."""
    keras.utils.set_random_seed(0)
    layers = [kind(UNITS, return_sequences=True, return_state=True, **options)
              for kind in (FastLSTM, keras.layers.LSTM)]  # fmt: skip
    for layer in layers:
        layer.build((ROWS, STEPS, WIDTH))
    layers[1].set_weights(layers[0].get_weights())
    return layers


def random(*shape):
    return tf.random.stateless_normal(shape, (1, len(shape)))


def learn(layer, dtype="float32"):
    """What it outputs in training, and the gradients of the inputs, the state and the weights."""
    inputs = random(ROWS, STEPS, WIDTH)
    state = [random(ROWS, UNITS), 2 * random(ROWS, UNITS)]
    weights = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *state])
        outputs = layer(inputs, initial_state=state, training=True)
        ramp = tf.range(STEPS, dtype=tf.float32)[:, None]
        loss = tf.reduce_sum(tf.sin(tf.cast(outputs[0], tf.float32)) * ramp)
        loss += sum(tf.reduce_sum(tf.cast(end, tf.float32) ** 3) for end in outputs[1:])
    return outputs, tape.gradient(loss, [inputs, *state, *weights])


def test_outputs_and_gradients_are_those_of_keras_lstm():
    for fast, plain in zip(*map(learn, pair()), strict=True):
        for actual, expected in zip(fast, plain, strict=True):
            assert np.abs(expected).max() > 0.1
            np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_bfloat16_is_close_to_float32():
    fast, exact = pair()
    mixed = FastLSTM(UNITS, return_sequences=True, return_state=True, dtype="mixed_bfloat16")
    mixed.build((ROWS, STEPS, WIDTH))
    mixed.set_weights(exact.get_weights())
    (outputs, *_), gradients = learn(mixed)
    assert outputs.dtype == tf.bfloat16
    for actual, expected in zip(gradients, learn(fast)[1], strict=True):
        error = np.abs(tf.cast(actual, tf.float32) - expected).max()
        assert 0 < error < 0.03 * np.abs(expected).max()


def test_inference_is_keras_own():
    fast, plain = pair(dropout=0.5, recurrent_dropout=0.5)
    inputs = random(ROWS, STEPS, WIDTH)
    for actual, expected in zip(fast(inputs), plain(inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("zero_output_for_mask", [False, True])
def test_a_mask_is_keras_own(zero_output_for_mask):
    fast, plain = pair(zero_output_for_mask=zero_output_for_mask)
    inputs, mask = random(ROWS, STEPS, WIDTH), tf.sequence_mask([7, 2, 4], STEPS)
    for actual, expected in zip(
        fast(inputs, mask=mask, training=True),
        plain(inputs, mask=mask, training=True),
        strict=True,
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_removes_gradients_and_scales_the_others(option):
    layer, _ = pair(**{option: 0.5, "seed": 3})
    exact, _ = pair()
    (dropped, *_), (to_inputs, *_) = learn(layer)
    (full, *_), _ = learn(exact)
    assert np.abs(dropped - full).max() > 0.01
    # One mask for all steps: an input that is dropped in one of them is in every other.
    silent = np.all(to_inputs.numpy() == 0, axis=1)
    assert silent.any() == (option == "dropout")
    assert not silent.all()


def test_recurrent_dropout_of_the_first_step_is_that_of_the_initial_state():
    """With one step and no inputs, the mask is all that there is to see."""
    layer = FastLSTM(UNITS, recurrent_dropout=0.5, seed=1)
    layer.build((ROWS, 1, WIDTH))
    state = [tf.ones((ROWS, UNITS)), tf.zeros((ROWS, UNITS))]
    with tf.GradientTape() as tape:
        tape.watch(state[0])
        output = layer(tf.zeros((ROWS, 1, WIDTH)), initial_state=state, training=True)
        loss = tf.reduce_sum(output)
    gone = tape.gradient(loss, state[0]).numpy() == 0
    assert 0 < gone.sum() < gone.size


def test_it_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((None, WIDTH))
    model = keras.Model(inputs, FastLSTM(UNITS, recurrent_dropout=0.1)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = random(ROWS, STEPS, WIDTH)
    np.testing.assert_array_equal(model(inputs), again(inputs))
    assert again.layers[1].use_cudnn is False


def test_the_mask_of_an_embedding_counts_in_training():
    token_ids = np.array([[3, 1, 4, 1, 0, 0], [2, 0, 0, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(9, WIDTH, mask_zero=True), FastLSTM(UNITS)
    outputs = layer(embedding(token_ids), training=True)
    for row, length in enumerate((4, 1)):
        [unpadded] = layer(embedding(token_ids[row : row + 1, :length]), training=True)
        np.testing.assert_allclose(outputs[row], unpadded, atol=1e-6)


def test_a_stateful_layer_resumes_from_its_state_in_training():
    fast, plain = pair(stateful=True)
    for part in range(3):
        inputs = random(ROWS, STEPS, WIDTH) + part
        for actual, expected in zip(
            fast(inputs, training=True), plain(inputs, training=True), strict=True
        ):
            np.testing.assert_allclose(actual, expected, atol=1e-6)
    fast.reset_state()
    assert all(np.all(state.numpy() == 0) for state in fast.states)


def test_bidirectional_wraps_it():
    keras.utils.set_random_seed(0)
    fast, plain = (
        keras.layers.Bidirectional(kind(UNITS, return_sequences=True))
        for kind in (FastLSTM, keras.layers.LSTM)
    )
    inputs = random(ROWS, STEPS, WIDTH)
    fast(inputs), plain(inputs)
    plain.set_weights(fast.get_weights())
    np.testing.assert_allclose(fast(inputs, training=True), plain(inputs, training=True), atol=1e-6)


def test_the_gradient_has_the_dropout_of_the_hidden_state_in_every_step():
    """The loss is of the last output, so all gradients of earlier steps pass the mask."""
    layer, _ = pair(recurrent_dropout=0.5, seed=1)
    mask = np.asarray(layer.cell.get_recurrent_dropout_mask(tf.ones((ROWS, UNITS)))[0])
    layer.cell.reset_recurrent_dropout_mask()
    layer.cell.seed_generator.state.assign([1, 0])
    inputs, state = random(ROWS, STEPS, WIDTH), [random(ROWS, UNITS), random(ROWS, UNITS)]
    kernel, recurrent_kernel, bias = weights = [w.value for w in layer.trainable_variables]

    def by_hand(inputs):
        hidden, carry = state
        for step in range(STEPS):
            z = inputs[:, step] @ kernel + (hidden * mask) @ recurrent_kernel + bias
            i, f, g, o = tf.split(z, 4, axis=-1)
            carry = tf.sigmoid(f) * carry + tf.sigmoid(i) * tf.tanh(g)
            hidden = tf.sigmoid(o) * tf.tanh(carry)
        return hidden

    results = []
    for forward in (by_hand, lambda x: layer(x, initial_state=state, training=True)[1]):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            last = forward(inputs)
            loss = tf.reduce_sum(tf.sin(last))
        results.append([last, *tape.gradient(loss, [inputs, *weights])])
    assert 0 < (mask == 0).sum() < mask.size
    for expected, result in zip(*results, strict=True):
        np.testing.assert_allclose(result, expected, atol=1e-5)
