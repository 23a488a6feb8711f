import numpy as np
import pytest
from scipy.special import softmax

import keras_fm
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.evaluation import linear_probe


def test_a_linear_model_separates_dark_and_light_images(tiny_net):
    model = keras_fm.models.building.replace_head(
        keras_fm.get("tiny_net", weights=None), ["dark", "light"]
    )
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 60)
    images = random.integers(0, 100, (60, 32, 32, 3)) + 100 * targets[:, None, None, None]
    examples = Examples(images.astype("uint8"), targets, "grey")
    scores = linear_probe.linear_probe(
        model, examples.subset(slice(40), "a"), examples.subset(slice(40, None), "b")
    )
    assert scores["accuracy"] == 1
    assert scores["cross_entropy"] < 0.3
    mixed = Examples(examples.inputs, random.permutation(targets), "mixed")
    scores = linear_probe.linear_probe(
        model, mixed.subset(slice(40), "a"), mixed.subset(slice(40, None), "b")
    )
    assert scores["accuracy"] < 0.8
    assert scores["cross_entropy"] < 1.2


def test_a_regression_target_is_probed_on_its_log_scale():
    sample = datasets.sample("diamonds")
    scores = linear_probe.linear_probe(
        keras_fm.get("linear_regression"), sample.subset(slice(200), "a"),
        sample.subset(slice(200, None), "b"),
    )  # fmt: skip
    assert scores["rmse_log"] == pytest.approx(0.17, abs=0.05)


def test_logistic_regression_predicts_each_class_as_often_as_it_occurs():
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 4))
    y = random.integers(0, 3, 50)
    logits = linear_probe._fit(x, y, 0.1, 3)(x)
    assert logits.shape == (50, 3)
    # At the minimum over a bias without a penalty.
    np.testing.assert_allclose(softmax(logits, axis=1).mean(0), np.bincount(y) / 50, atol=1e-3)


def test_ridge_regression_predicts_targets_in_their_unit():
    x = np.random.default_rng(0).normal(size=(50, 3))
    x -= x.mean(axis=0)
    y = 1000 + x @ [300.0, -100.0, 50.0]
    np.testing.assert_allclose(linear_probe._fit(x, y, 1e-9, 0)(x), y, rtol=1e-6)


def test_the_unit_of_the_features_does_not_change_the_probe(tiny_net):
    model = keras_fm.get("tiny_net", weights=None)
    sample = datasets.sample("cifar10")
    training, validation = sample.subset(slice(50), "a"), sample.subset(slice(50, 100), "b")
    scores = linear_probe.linear_probe(model, training, validation)
    scale, shift, *statistics = model.get_layer("norm").get_weights()
    model.get_layer("norm").set_weights([100 * scale, 100 * shift + 5, *statistics])
    assert linear_probe.linear_probe(model, training, validation) == pytest.approx(scores, abs=0.02)
