"""What the layers compute; `test_layer_harness.py` compares the fast ones with Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.layers import (
    EnsembleMean,
    FastLayerNormalization,
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
    convolution,
)
from keras_fm.layers.attention import rotate
from keras_fm.layers.initializers import Dirac, PassOnLast, Rademacher
from keras_fm.layers.normalization import scale_and_offset


def maps(batch: int, side: int = 7, channels: int = 6) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(1.0, 2.0, (batch, side, side, channels)).astype("float32")


def twins(fused, plain, images):
    fused.build(images.shape)
    plain.build(images.shape)
    plain.set_weights(fused.get_weights())
    return fused, plain


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_fused_normalization_computes_what_keras_computes(training, scale):
    images = maps(64)
    options = {"momentum": 0.8, "epsilon": 1e-5, "scale": scale}
    fused, plain = twins(
        FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options), images
    )
    ours, theirs = (np.asarray(layer(images, training=training)) for layer in (fused, plain))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    for mine, other in zip(fused.get_weights(), plain.get_weights(), strict=True):
        # TensorFlow keeps the unbiased variance, Keras the biased one: 64 * 49 examples apart.
        np.testing.assert_allclose(mine, other, rtol=1e-3)


def test_fused_normalization_updates_its_statistics_in_training_alone():
    images, layer = maps(8), FusedBatchNormalization()
    layer.build(images.shape)
    before = layer.get_weights()
    layer(images, training=False)
    layer.trainable = False
    layer(images, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))
    layer.trainable = True
    layer(images, training=True)
    assert not np.array_equal(before[2], layer.get_weights()[2])


def test_beta_gain_multiplies_the_offset():
    images, layer = maps(8), FusedBatchNormalization(beta_gain=8.0)
    layer.build(images.shape)
    without = np.asarray(layer(images))
    layer.beta.assign(np.full(6, 0.5))
    np.testing.assert_allclose(np.asarray(layer(images)), without + 4.0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "shape"),
    [({}, (8, 7, 7, 6)), ({"axis": 1}, (8, 6, 7, 7)), ({}, (8, 6)), ({"axis": -2}, (4, 6, 5))],
)
def test_beta_gain_multiplies_the_offset_over_any_axis(options, shape):
    inputs = np.random.default_rng(0).normal(1, 2, shape).astype("float32")
    layer = FusedBatchNormalization(beta_gain=8.0, **options)
    plain = keras.layers.BatchNormalization(**options)
    offset = np.linspace(-1, 1, 6)
    for norm, factor in ((layer, 1), (plain, 8)):
        norm.build(shape)
        norm.beta.assign(factor * offset)
    for training in (False, True):
        outputs, expected = (np.asarray(x(inputs, training=training)) for x in (layer, plain))
        np.testing.assert_allclose(outputs, expected, atol=1e-4)
    if "axis" not in options:
        scale, offset = scale_and_offset(layer)
        np.testing.assert_allclose(layer(inputs), scale * inputs + offset, atol=1e-4)


def test_fused_normalization_leaves_masked_positions_out_of_its_statistics():
    images, mask = maps(4), np.random.default_rng(1).random((4, 7, 7)) < 0.5
    fused, plain = twins(FusedBatchNormalization(), keras.layers.BatchNormalization(), images)
    outputs = [np.asarray(x(images, mask=mask, training=True)) for x in (fused, plain)]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, 0.01 * images[mask].mean(0), rtol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its gradient is TensorFlow's")
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, (5, 2)])
@pytest.mark.parametrize("batch", [1, 8, 13])
def test_packed_convolution_has_the_gradients_of_a_plain_one(batch, size):
    images = tf.constant(maps(batch))
    rows, columns = size if isinstance(size, tuple) else (size, size)
    random = np.random.default_rng(2)
    kernel = tf.constant(random.normal(size=(rows, columns, 6, 5)), tf.float32)
    results = []
    for convolve in (
        lambda: convolution.packed_convolution(images, kernel, pack=4),
        lambda: tf.nn.conv2d(images, kernel, 1, "SAME"),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            loss = tf.reduce_sum(tf.sin(convolve()))
        results.append([loss, *tape.gradient(loss, [images, kernel])])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its gradient is TensorFlow's")
@pytest.mark.parametrize(
    ("dtype", "training", "packs"),
    [("mixed_bfloat16", True, True), ("mixed_bfloat16", False, False), ("float32", True, False)],
)
def test_a_convolution_packs_where_that_is_faster(dtype, training, packs, monkeypatch):
    calls = []
    of_layer = convolution.packed_convolution
    monkeypatch.setattr(
        convolution, "packed_convolution", lambda *args: calls.append(args) or of_layer(*args)
    )
    layer = PackedConv2D(5, 3, pack=4, dtype=dtype)
    outputs = layer(maps(8), training=training)
    assert bool(calls) == packs
    plain = tf.nn.conv2d(maps(8), tf.convert_to_tensor(layer.kernel), 1, "SAME")
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), plain, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [(5, 16), (2, 3, 16)])
def test_fast_layer_normalization_trains_as_keras_own(shape):
    inputs = tf.constant(np.random.default_rng(0).normal(2, 3, shape), tf.float32)
    ours, theirs = twins(
        FastLayerNormalization(), keras.layers.LayerNormalization(center=False), inputs
    )
    scale = np.random.default_rng(1).normal(size=16)
    found = []
    for layer in (ours, theirs):
        layer.set_weights([scale])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True) if layer is ours else layer(inputs)
            loss = tf.reduce_sum(tf.sin(outputs))
        found.append([outputs, *tape.gradient(loss, [inputs, layer.gamma.value])])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        FusedBatchNormalization(beta_gain=2.0, scale=False),
        PackedConv2D(5, 3, pack=4),
        FastLayerNormalization(),
    ],
)
def test_a_model_with_it_saves_and_loads(layer, tmp_path):
    image = keras.Input((7, 7, 6))
    model = keras.Model(image, layer(image))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(maps(3)), model.predict(maps(3)), atol=1e-6)


def test_numbers_are_encoded_by_their_bins():
    layer = PiecewiseLinearEncoding(2)
    layer.build((None, 2))
    # Quantiles 0, 1 and 4; the second column is nearly one value.
    layer.adapt(np.array([[0, 7], [1, 7], [4, 7], [np.nan, 7]], "float32"))
    table = np.array([[0.5, 7], [2.5, 6], [-9, 8], [99, 7], [np.nan, 7]], "float32")
    encoded = np.asarray(layer(table))
    assert encoded.shape == (5, 2, 3)
    first = [[0.5, 0, 0], [1, 0.5, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(encoded[:, 0], first, atol=1e-6)
    np.testing.assert_allclose(encoded[:3, 1], [[0, 0, 0], [0, 0, 0], [1, 1, 0]], atol=1e-6)


def test_a_missing_number_is_in_no_bin():
    layer = PiecewiseLinearEncoding(2)
    layer.adapt(np.array([[-4], [-1], [4]], "float32"))
    np.testing.assert_allclose(layer(np.array([[np.nan]], "float32")), [[[0, 0, 1]]])


def cross_entropy(logits, labels):
    return keras.ops.categorical_crossentropy(labels, logits, from_logits=True)


def squared_error(outputs, targets):
    return keras.ops.sum((outputs - targets) ** 2, axis=-1)


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_each_member_of_an_ensemble_learns_as_if_alone(loss):
    random = np.random.default_rng(0)
    outputs = random.normal(size=(5, 4, 3)).astype("float32")  # 5 examples, 4 members
    targets = np.eye(3, dtype="float32")[random.integers(0, 3, 5)]
    layer = EnsembleMean(loss.__name__)
    mean = layer(outputs)
    np.testing.assert_allclose(mean, outputs.mean(axis=1), atol=1e-6)
    alone = np.mean([np.mean(loss(outputs[:, member], targets)) for member in range(4)])
    together = np.mean(loss(mean, targets)) + float(layer.losses[0])
    assert together == pytest.approx(alone, rel=1e-5)
    assert float(layer.losses[0]) > 0.1


def test_the_loss_of_an_ensemble_is_known():
    with pytest.raises(ValueError, match="one of squared_error, cross_entropy; received 'mse'"):
        EnsembleMean("mse")


def test_texts_are_reversed_and_their_padding_stays():
    numbers = np.array([[5, 6, 7, 0], [8, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]], "int32")
    vectors = np.stack([numbers, -numbers], axis=-1).astype("float32")
    first, second = np.moveaxis(np.asarray(ReverseSequence()([vectors, numbers])), -1, 0)
    assert first.tolist() == [[7, 6, 5, 0], [8, 0, 0, 0], [4, 3, 2, 1], [0, 0, 0, 0]]
    assert (second == -first).all()


def test_padding_does_not_count_for_the_largest():
    numbers = np.array([[5, 6, 0], [8, 0, 0]])
    features = np.array([[[-0.9, 0.1], [-0.8, 0.2], [1, 1]], [[-1, 0.5], [1, 1], [1, 1]]])
    for scale in (1, 100):
        inputs = (scale * features).astype("float32")
        largest = np.asarray(MaskedGlobalMaxPooling1D()([inputs, numbers]))
        np.testing.assert_allclose(largest, scale * np.array([[-0.8, 0.2], [-1, 0.5]]))


def test_the_maximum_of_padding_alone_is_below_its_features():
    features = np.array([[[-0.5, 1.0], [0.5, -1.0]]], "float32")
    largest = np.asarray(MaskedGlobalMaxPooling1D()([features, np.zeros((1, 2))]))
    np.testing.assert_allclose(largest, [[-3.5, -3.0]])


@pytest.mark.parametrize("kind", [MaskedGlobalMaxPooling1D, MaskedGlobalAveragePooling1D])
def test_a_pooling_has_no_mask_and_a_reversal_keeps_it(kind):
    token_ids = np.array([[5, 6, 0], [8, 0, 0]])
    features = keras.layers.Embedding(9, 4, mask_zero=True)(token_ids)
    backwards = ReverseSequence()([features, token_ids])
    assert keras.src.backend.get_keras_mask(kind()([backwards, token_ids])) is None
    mask = keras.src.backend.get_keras_mask(backwards)
    np.testing.assert_array_equal(mask, token_ids != 0)


def test_padding_does_not_count_for_the_mean_and_no_word_makes_zeros():
    numbers = np.array([[5, 6, 0], [8, 0, 0], [0, 0, 0]])
    features = np.arange(18, dtype="float32").reshape(3, 3, 2)
    mean = np.asarray(MaskedGlobalAveragePooling1D()([features, numbers]))
    np.testing.assert_allclose(mean, [[1, 2], [6, 7], [0, 0]])


def test_attention_sees_distances_and_no_positions():
    keras.utils.set_random_seed(0)
    attend = RotaryMultiHeadAttention(2, 8, use_bias=False)
    random = np.random.default_rng(0)
    text = random.standard_normal((1, 5, 16)).astype("float32")
    alone = np.asarray(attend(text, text))
    # The same text behind 300 hidden places: all of it stands elsewhere, and as far apart.
    later = np.concatenate([random.standard_normal((1, 300, 16)).astype("float32"), text], 1)
    seen = (np.arange(305) >= 300)[None, None]
    np.testing.assert_allclose(
        np.asarray(attend(later, later, attention_mask=seen))[:, 300:], alone, atol=1e-4
    )
    turned = np.asarray(attend(text[:, ::-1], text[:, ::-1]))[:, ::-1]
    assert np.abs(turned - alone).max() > 0.01, "before and behind are not the same"


@pytest.mark.parametrize("shapes", [[(2, 3, 4, 16)] * 2, [(2, 3, 16), (2, 3, 4, 16)]])
def test_attention_over_more_than_one_axis_is_refused(shapes):
    with pytest.raises(ValueError, match=r"must be \[batch, length, width\]; received .*4, 16"):
        RotaryMultiHeadAttention(2, 8)(*(np.ones(shape, "float32") for shape in shapes))


def test_attention_needs_pairs_of_features():
    with pytest.raises(ValueError, match=r"key_dim must be even.* received 7"):
        RotaryMultiHeadAttention(2, 7)


def test_attention_may_be_causal():
    attention = RotaryMultiHeadAttention(2, 8)
    text = np.random.default_rng(0).standard_normal((1, 5, 16)).astype("float32")
    outputs = np.asarray(attention(text, text, use_causal_mask=True))
    prefix = text[:, :3]
    np.testing.assert_allclose(outputs[:, :3], attention(prefix, prefix, use_causal_mask=True),
                               atol=1e-5)  # fmt: skip


def test_attention_turns_pairs_of_features_by_their_position():
    one, other = np.array([[3.0, 1.0]]), np.array([[2.0, -1.0]])
    features = np.concatenate([one, other], -1)[None, :, None].repeat(6, 1).astype("float32")
    turned = np.asarray(rotate(features))[0, :, 0]
    for place in range(6):
        for pair, rate in enumerate((1.0, 0.01)):
            start = complex(one[0, pair], other[0, pair])
            expected = start * np.exp(1j * place * rate)
            found = complex(turned[place, pair], turned[place, pair + 2])
            assert abs(found - expected) < 1e-5


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (2, 2, 5, 3), (3, 4, 4), (4, 3, 2, 2, 2)])
def test_a_dirac_kernel_passes_its_channels_on(shape):
    *size, channels, filters = shape
    kernel, passed = np.asarray(Dirac(0)(shape)), min(channels, filters)
    others = kernel * (1 - np.eye(channels, filters))
    assert np.abs(others).max() <= 1 / np.sqrt(np.prod(size) * channels) + 1e-6
    assert np.abs(others).max() > 0
    inputs = np.random.default_rng(0).normal(size=(2, *[6] * len(size), channels)).astype("float32")
    outputs = keras.ops.conv(inputs, kernel - others.astype("float32"), padding="same")
    np.testing.assert_allclose(outputs[..., :passed], inputs[..., :passed], atol=1e-6)


def test_random_signs_are_both_signs():
    signs = np.asarray(Rademacher(0)((1000,)))
    assert set(signs) == {-1, 1}
    assert abs(signs.mean()) < 0.1


@pytest.mark.parametrize("kind", [Dirac, Rademacher])
def test_initializers_have_seeds_and_dtypes(kind):
    first, same, other = (np.asarray(kind(seed)((3, 3, 4, 4))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert keras.backend.standardize_dtype(kind(1)((3, 3, 4, 4), "bfloat16").dtype) == "bfloat16"


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_bins_know_large_numbers_in_a_narrow_precision(dtype):
    layer = PiecewiseLinearEncoding(4, dtype=dtype)
    layer.adapt(np.linspace(1e5, 1e5 + 8, 9)[:, None])
    encoded = layer(np.array([[1e5 + 3]], "float32"))
    assert keras.backend.standardize_dtype(encoded.dtype) == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(keras.ops.cast(encoded, "float32"), [[[1, 0.5, 0, 0, 0]]], atol=1e-3)


def test_smooth_clip_leaves_small_numbers_and_limits_large_ones():
    numbers = np.array([0.0, 0.01, -3.0, 1e30, -1e30, np.nan], "float32")
    clipped = np.array(SmoothClip(3.0)(numbers))
    np.testing.assert_allclose(
        clipped, [0, 0.01, -3 / 2**0.5, 3, -3, np.nan], rtol=1e-4, equal_nan=True
    )


def test_mean_probability_is_that_of_the_members():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    mean = keras.ops.softmax(MeanProbability()(logits))
    np.testing.assert_allclose(mean, np.mean(keras.ops.softmax(logits), axis=1), rtol=1e-5)


def test_numbers_that_are_imputed_without_indicators_keep_their_shape():
    numbers = np.array([[1.0, np.nan]], "float32")
    np.testing.assert_array_equal(ImputeMissing(indicators=False)(numbers), [[1, 0]])


def test_a_kernel_passes_on_the_last_inputs():
    kernel = np.array(PassOnLast()((2, 5, 2)))
    np.testing.assert_array_equal(np.ones((2, 5)) @ kernel[0], np.ones((2, 2)))
    np.testing.assert_array_equal(kernel[1, :3], np.zeros((3, 2)))
