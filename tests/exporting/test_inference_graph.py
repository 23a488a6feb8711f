"""The copy of a model that only answers: what is folded, and in which precision it computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_fm.errors import InvalidInputError
from keras_fm.exporting import inference_graph, saved_model
from keras_fm.exporting.session import Session
from keras_fm.layers import FusedBatchNormalization, PackedConv2D
from keras_fm.models import loading
from keras_fm.models.spec import attach_spec, spec_of
from keras_fm.tasks.base import task_of

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cifar():
    return loading.get("cifar_cnn")


def network(*body, size=12, channels=3):
    """A functional model of the layers, whose statistics and offsets are anything but neutral."""
    image = keras.Input((size, size, channels), name="image")
    x = image
    for layer in body:
        x = layer(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    for weight in model.weights:
        weight.assign(RANDOM.uniform(0.2, 2.0, weight.shape))
    return attach_spec(model, spec_of(loading.get("cifar_cnn_basic", weights=None)))


def names(model):
    return [layer.name for layer in model.layers]


def assert_same(copy, model, **tolerance):
    images = RANDOM.uniform(-1, 1, (5, *model.input_shape[1:])).astype("float32")
    given = model.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), given, **tolerance)


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
def test_a_normalisation_goes_into_the_kernel_before_it(body):
    model = network(*body)
    copy = inference_graph.inference_model(model)
    assert names(copy) == [name for name in names(model) if name != "norm"]
    assert copy.get_layer("conv").use_bias
    assert_same(copy, model, rtol=1e-4)


def negative(norm):
    norm.gamma.assign(-norm.gamma)


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ([layers.Conv2D(6, 3, activation="relu"), layers.BatchNormalization(name="norm")], None),
        ([layers.AveragePooling2D(2), layers.BatchNormalization(name="norm")], None),
        (
            [layers.Conv2D(6, 3), layers.MaxPooling2D(), layers.BatchNormalization(name="norm")],
            negative,  # the largest of the negated values is the smallest
        ),
        ([layers.DepthwiseConv2D(3), layers.BatchNormalization(name="norm")], None),
        ([layers.Conv2D(12, 1), layers.BatchNormalization(axis=1, name="norm")], None),
    ],
)
def test_a_normalisation_that_fits_no_kernel_stays(body, change):
    model = network(*body)
    if change is not None:
        change(model.get_layer("norm"))
    copy = inference_graph.inference_model(model)
    assert "norm" in names(copy)
    assert_same(copy, model, rtol=1e-5)


def test_a_kernel_that_something_else_reads_stays_as_it_is():
    image = keras.Input((8, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same", name="conv")(image)
    x = layers.Add(name="add")([conv, layers.BatchNormalization(name="norm")(conv)])
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    attach_spec(model, spec_of(loading.get("cifar_cnn_basic", weights=None)))
    copy = inference_graph.inference_model(model)
    assert "norm" in names(copy)
    assert_same(copy, model, rtol=1e-5)


def test_the_zoos_network_keeps_its_answers_and_no_normalisation(cifar):
    copy = inference_graph.inference_model(cifar)
    kinds = {type(layer) for layer in copy.layers}
    assert FusedBatchNormalization in {type(layer) for layer in cifar.layers}
    assert FusedBatchNormalization not in kinds
    assert spec_of(copy) == spec_of(cifar)
    assert_same(copy, cifar, atol=1e-5)


def test_bfloat16_is_behind_the_first_kernel_and_not_in_the_answer(cifar):
    copy = inference_graph.inference_model(cifar, "bfloat16")
    computes = {layer.name: layer.compute_dtype for layer in copy.layers}
    assert computes["normalization"] == computes["logits"] == "float32"
    assert computes["block1_conv1"] == computes["pool"] == "bfloat16"
    assert copy.get_layer("block1_conv1").kernel.dtype == "bfloat16"
    assert copy.output.dtype == "float32"
    examples = task_of(cifar).data.load("sample")
    accuracies = [task_of(cifar).objective.evaluate(m, examples)["accuracy"] for m in (cifar, copy)]
    assert abs(accuracies[0] - accuracies[1]) <= 2 / len(examples)


def test_int8_is_what_keras_makes_of_dense_layers(cifar):
    copy = inference_graph.inference_model(cifar, "int8")
    assert copy.get_layer("logits")._kernel.dtype == "int8"
    assert_same(copy, cifar, atol=0.05)
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(3, 3, name="conv")(image)
    bare = keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x))
    with pytest.raises(InvalidInputError, match="no layer that Keras can quantise"):
        inference_graph.inference_model(attach_spec(bare, spec_of(cifar)), "int8")


@pytest.mark.parametrize(
    "options", [{"precision": "float64"}, {"precision": None}, {"optimize_for": "speed"}]
)
def test_another_option_leaves_nothing(cifar, tmp_path, options):
    with pytest.raises(InvalidInputError, match=f"received {next(iter(options.values()))!r}"):
        saved_model.export(cifar, tmp_path / "export", **options)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("optimize_for", ["memory", "latency"])
def test_each_way_answers_the_same_and_in_float32(tmp_path, optimize_for):
    model = loading.get("cifar_cnn_basic")
    images = task_of(model).data.load("sample").inputs[:8]
    version = saved_model.export(
        model, tmp_path, precision="bfloat16", optimize_for=optimize_for, warmup=False
    )
    with Session(version) as session:
        for signature, about in session.signatures.items():
            dtypes = {tf.as_dtype(one.dtype) for one in about.outputs.values()}
            assert dtypes <= {tf.float32, tf.string}, signature
        answers = session.run("serving_default", {"image": images})
    np.testing.assert_allclose(answers["logits"], model.predict(images, verbose=0), atol=0.2)


def test_latency_makes_constants_of_the_weights(tmp_path):
    model = loading.get("cifar_cnn_basic")
    images = task_of(model).data.load("sample").inputs[:8]
    sizes, answers = [], []
    for aim in ("memory", "latency"):
        version = saved_model.export(model, tmp_path, optimize_for=aim, warmup=False)
        stored = tf.train.list_variables(str(version / "variables" / "variables"))
        sizes.append(sum(int(np.prod(shape)) for _, shape in stored))
        with Session(version) as session:
            answers.append(session.run("serving_default", {"image": images})["logits"])
    assert sizes[0] > model.count_params()
    assert sizes[1] < 100
    np.testing.assert_allclose(*answers, atol=1e-5)
