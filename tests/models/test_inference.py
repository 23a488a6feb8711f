"""Predictions by one graph for each model."""

import logging
from concurrent.futures import ThreadPoolExecutor

import helpers
import keras
import numpy as np
import pytest

from keras_fm import adapters
from keras_fm.models import inference, loading
from keras_fm.models.backbone import backbone
from keras_fm.models.inference import SingleTraceModel, predict

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's"
)


@pytest.fixture
def count_traces(monkeypatch):
    """The models that were traced, in order."""
    traced = []
    create = inference._Graph.__init__

    def counted(self, model):
        traced.append(model)
        create(self, model)

    monkeypatch.setattr(inference._Graph, "__init__", counted)
    return traced


def table(rows):
    inputs = loading.get("linear_regression", weights=None).input
    return {name: np.arange(rows).astype(tensor.dtype) for name, tensor in inputs.items()}


@pytest.mark.parametrize("name", ["cifar_cnn_basic", "fashion_cnn"])
def test_one_trace_serves_all_sizes_and_equals_the_model(name, count_traces):
    model = loading.get(name, weights=None)
    images = helpers.noise(7).inputs[:, : model.input.shape[1], : model.input.shape[2]]
    images = images[..., : model.input.shape[-1]]
    expected = np.asarray(model(images.astype("float32"), training=False))
    for count in range(1, 8):
        for batch_size in (2, 500):
            outputs = predict(model, images[:count], batch_size)
            assert outputs.dtype == np.float32
            np.testing.assert_allclose(outputs, expected[:count], atol=1e-5)
        np.testing.assert_array_equal(model.predict(images[:count], verbose=0), outputs)
        np.testing.assert_array_equal(model.predict_on_batch(images[:count]), outputs)
    assert count_traces == [model]


def test_texts_of_every_length_and_tables_need_one_trace(count_traces):
    text_model = loading.get("lstm", weights=None, units=8, width=8)
    for length in (8, 16, 64):
        token_ids = np.ones((3, length), "int64")
        np.testing.assert_array_equal(
            predict(text_model, token_ids, 500), text_model.predict(token_ids, verbose=0)
        )
    table_model = loading.get("linear_regression", weights=None)
    for rows in (1, 2, 9):
        np.testing.assert_array_equal(
            predict(table_model, table(rows), 4), table_model.predict(table(rows), verbose=0)
        )
    assert count_traces == [text_model, table_model]


@pytest.mark.thorough
def test_many_models_make_no_warning_of_retracing(caplog):
    logging.getLogger("tensorflow").addHandler(caplog.handler)
    try:
        for count in range(1, 8):  # TensorFlow warns of the fifth
            model = loading.get("linear_regression", weights=None)
            predict(model, table(count), 500)
            model.predict(table(count), verbose=0)
            backbone(model).predict(table(count), verbose=0)
    finally:
        logging.getLogger("tensorflow").removeHandler(caplog.handler)
    assert caplog.messages == []


def test_new_weights_and_adapters_are_seen():
    model = loading.get("cifar_cnn_basic", weights=None)
    images = helpers.noise(3).inputs

    def check():
        expected = np.asarray(model(images.astype("float32"), training=False))
        np.testing.assert_allclose(predict(model, images, 500), expected, atol=1e-5)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
        return expected

    before = check()
    model.set_weights([weight + 0.01 for weight in model.get_weights()])
    assert (check() != before).any()
    adapters.enable(model, 2)
    for variable in model.trainable_variables:
        if "lora" in variable.path:
            variable.assign(np.full(variable.shape, 0.1))
    before = check()
    model.compile("sgd", "mse")
    model.fit(images, np.zeros((3, 10)), verbose=0)
    assert (check() != before).any()


def test_what_the_graph_does_not_take_keras_does():
    values = keras.Input((2,))
    model = SingleTraceModel(values, [values * 2, values + 1])
    doubled, added = model.predict(np.ones((3, 2)), verbose=0)
    assert (doubled == 2).all()
    assert (added == 2).all()
    model = SingleTraceModel(values, values * 2)
    assert model.predict(np.ones((1, 2)), verbose=0).tolist() == [[2, 2]]
    model.run_eagerly = True
    assert predict(model, np.ones((1, 2)), 500).tolist() == [[2, 2]]


def test_threads_share_the_trace(count_traces):
    model = loading.get("linear_regression", weights=None)
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda _: predict(model, table(5), 500), range(8)))
    assert count_traces == [model]
    assert all((values == outputs[0]).all() for values in outputs)


def test_a_model_that_predicted_is_saved_and_opened(tmp_path):
    model = loading.get("cifar_cnn_basic", weights=None)
    images = helpers.noise(2).inputs
    expected = predict(model, images, 500)
    model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(opened, images, 500), expected)
    model.export(tmp_path / "export", verbose=False)
