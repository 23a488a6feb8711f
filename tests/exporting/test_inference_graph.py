"""Copies of a model for inference: folded batch normalization, and lower precision."""

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_fm.errors import InvalidInputError
from keras_fm.exporting import inference_graph, saved_model
from keras_fm.exporting.session import Session
from keras_fm.layers import (
    FastLSTM,
    FusedBatchNormalization,
    PackedConv2D,
    TransformerDecoder,
)
from keras_fm.models import loading
from keras_fm.models.spec import attach_spec, spec_of
from keras_fm.tasks.base import task_of

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cifar():
    return loading.get("cifar_cnn")


def network(*body, size=12, channels=3):
    """Build a functional model of the layers, whose statistics and offsets are not neutral."""
    image = keras.Input((size, size, channels), name="image")
    x = image
    for layer in body:
        x = layer(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    for weight in model.weights:
        weight.assign(RNG.uniform(0.2, 2.0, weight.shape))
    return attach_spec(model, spec_of(loading.get("cifar_cnn_basic", weights=None)))


def names(model):
    return [layer.name for layer in model.layers]


def assert_close(copy, model, **tolerance):
    images = RNG.uniform(-1, 1, (5, *model.input_shape[1:])).astype("float32")
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), expected, **tolerance)


@pytest.mark.parametrize(
    "body",
    [
        [layers.Conv2D(6, 3, name="conv"), layers.BatchNormalization(name="norm")],
        [
            layers.Conv2D(6, 3, use_bias=False, name="conv"),
            layers.MaxPooling2D(name="pool"),
            FusedBatchNormalization(beta_gain=8.0, scale=False, name="norm"),
        ],
        [PackedConv2D(6, 3, name="conv"), layers.BatchNormalization(center=False, name="norm")],
        [layers.Conv2DTranspose(6, 3, name="conv"), layers.BatchNormalization(name="norm")],
        [layers.Dense(6, name="conv"), layers.BatchNormalization(name="norm")],
    ],
)
def test_batch_normalization_is_folded_into_the_kernel_before_it(body):
    model = network(*body)
    copy = inference_graph.inference_model(model)
    assert names(copy) == [name for name in names(model) if name != "norm"]
    assert copy.get_layer("conv").use_bias
    assert_close(copy, model, rtol=1e-4)


def negate_gamma(norm):
    norm.gamma.assign(-norm.gamma)


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ([layers.Conv2D(6, 3, activation="relu"), layers.BatchNormalization(name="norm")], None),
        ([layers.AveragePooling2D(2), layers.BatchNormalization(name="norm")], None),
        (
            [layers.Conv2D(6, 3), layers.MaxPooling2D(), layers.BatchNormalization(name="norm")],
            negate_gamma,  # the maximum of negated values is the minimum
        ),
        ([layers.DepthwiseConv2D(3), layers.BatchNormalization(name="norm")], None),
        ([layers.Conv2D(12, 1), layers.BatchNormalization(axis=1, name="norm")], None),
    ],
)
def test_batch_normalization_that_fits_no_kernel_stays(body, change):
    model = network(*body)
    if change is not None:
        change(model.get_layer("norm"))
    copy = inference_graph.inference_model(model)
    assert "norm" in names(copy)
    assert_close(copy, model, rtol=1e-5)


def test_a_kernel_with_another_reader_stays_as_it_is():
    image = keras.Input((8, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same", name="conv")(image)
    x = layers.Add(name="add")([conv, layers.BatchNormalization(name="norm")(conv)])
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    attach_spec(model, spec_of(loading.get("cifar_cnn_basic", weights=None)))
    copy = inference_graph.inference_model(model)
    assert "norm" in names(copy)
    assert_close(copy, model, rtol=1e-5)


@pytest.mark.parametrize("read_by", ["embedding", "output"])
def test_a_kernel_whose_output_is_read_stays_as_it_is(read_by):
    """The embedding layer is a signature's output, and so are the model's."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.GlobalAveragePooling2D(name="pool")(image)
    kernel = layers.Dense(4, name="embedding" if read_by == "embedding" else "logits")(x)
    norm = layers.BatchNormalization(name="norm")(kernel)
    model = keras.Model(image, norm if read_by == "embedding" else [kernel, norm])
    for weight in model.weights:
        weight.assign(RNG.uniform(0.2, 2.0, weight.shape))
    attach_spec(model, spec_of(loading.get("cifar_cnn_basic", weights=None)))
    copy = inference_graph.inference_model(model)
    assert "norm" in names(copy)
    for weight, expected in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_the_zoos_network_keeps_its_outputs_and_no_normalization(cifar):
    copy = inference_graph.inference_model(cifar)
    classes = {type(layer) for layer in copy.layers}
    assert FusedBatchNormalization in {type(layer) for layer in cifar.layers}
    assert FusedBatchNormalization not in classes
    assert spec_of(copy) == spec_of(cifar)
    assert_close(copy, cifar, atol=1e-5)


@pytest.mark.thorough
def test_bfloat16_is_behind_the_first_kernel_and_not_in_the_output(cifar):
    copy = inference_graph.inference_model(cifar, "bfloat16")
    dtypes = {layer.name: layer.compute_dtype for layer in copy.layers}
    assert dtypes["normalization"] == dtypes["logits"] == "float32"
    assert dtypes["block1_conv1"] == dtypes["pool"] == "bfloat16"
    assert copy.get_layer("block1_conv1").kernel.dtype == "bfloat16"
    assert copy.output.dtype == "float32"
    examples = task_of(cifar).data.load("sample")
    accuracies = [task_of(cifar).objective.evaluate(m, examples)["accuracy"] for m in (cifar, copy)]
    assert abs(accuracies[0] - accuracies[1]) <= 2 / len(examples)


def bidirectional(units, name):
    return layers.Bidirectional(layers.LSTM(units), name=name)


@pytest.mark.parametrize("recurrent", [FastLSTM, layers.LSTM, layers.GRU, bidirectional])
def test_recurrent_layers_stay_in_float32(recurrent):
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = layers.Embedding(9, 4, name="token_embedding")(token_ids)
    x = recurrent(5, name="recurrent")(x)
    x = layers.Dense(6, name="dense")(x)
    model = keras.Model(token_ids, layers.Dense(2, name="logits")(x))
    copy = inference_graph.inference_model(
        attach_spec(model, spec_of(loading.get("lstm"))), "bfloat16"
    )
    dtypes = {layer.name: layer.compute_dtype for layer in copy.layers}
    assert dtypes["token_embedding"] == dtypes["dense"] == "bfloat16"
    assert dtypes["recurrent"] == dtypes["logits"] == "float32"
    texts = np.array([[1, 2, 3], [4, 5, 0]])
    np.testing.assert_allclose(copy(texts), model(texts), atol=0.02)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_the_blocks_of_a_decoder_are_stored_in_the_precision(precision):
    ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(66, 32)(ids)
    x = TransformerDecoder(2, 48, sliding_window=6, name="block")(x)
    model = keras.Model(ids, layers.Dense(66, dtype="float32", name="logits")(x))
    model.set_weights([RNG.normal(0, 0.2, weights.shape) for weights in model.get_weights()])
    spec = spec_of(loading.get("char_lstm", weights=None, units=8))
    copy = inference_graph.inference_model(attach_spec(model, spec), precision)
    dtypes = {weight.dtype for weight in copy.get_layer("block").attention.query.weights}
    assert precision in dtypes
    texts = RNG.integers(1, 66, (2, 20))
    np.testing.assert_allclose(copy(texts), model(texts), atol=0.1)


def test_int8_is_for_dense_layers(cifar):
    copy = inference_graph.inference_model(cifar, "int8")
    assert copy.get_layer("logits")._kernel.dtype == "int8"
    assert_close(copy, cifar, atol=0.05)
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(3, 3, name="conv")(image)
    bare = keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x))
    with pytest.raises(InvalidInputError, match="no layer that Keras can quantize"):
        inference_graph.inference_model(attach_spec(bare, spec_of(cifar)), "int8")


@pytest.mark.parametrize(
    "options", [{"precision": "float64"}, {"precision": None}, {"optimize_for": "speed"}]
)
def test_an_invalid_option_writes_nothing(cifar, tmp_path, options):
    with pytest.raises(InvalidInputError, match=f"received {next(iter(options.values()))!r}"):
        saved_model.export(cifar, tmp_path / "export", **options)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "optimize_for", [pytest.param("memory", marks=pytest.mark.thorough), "latency"]
)
def test_outputs_are_float32_at_any_precision(tmp_path, optimize_for):
    model = loading.get("cifar_cnn_basic")
    images = task_of(model).data.load("sample").inputs[:8]
    version = helpers.export(model, tmp_path, precision="bfloat16", optimize_for=optimize_for)
    with Session(version) as session:
        for signature, definition in session.signatures.items():
            dtypes = {tf.as_dtype(tensor.dtype) for tensor in definition.outputs.values()}
            assert dtypes <= {tf.float32, tf.string}, signature
        outputs = session.run("serving_default", {"image": images})
    np.testing.assert_allclose(outputs["logits"], model.predict(images, verbose=0), atol=0.2)


@pytest.mark.thorough
def test_latency_makes_constants_of_the_weights(tmp_path):
    model = loading.get("cifar_cnn_basic")
    images = task_of(model).data.load("sample").inputs[:8]
    sizes, logits = [], []
    for optimize_for in ("memory", "latency"):
        version = saved_model.export(model, tmp_path, optimize_for=optimize_for, warmup=False)
        stored = tf.train.list_variables(str(version / "variables" / "variables"))
        sizes.append(sum(int(np.prod(shape)) for _, shape in stored))
        with Session(version) as session:
            logits.append(session.run("serving_default", {"image": images})["logits"])
    assert sizes[0] > model.count_params()
    assert sizes[1] < 100
    np.testing.assert_allclose(*logits, atol=1e-5)
