import numpy as np
import pytest

import keras_fm
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.evaluation import linear_probe


def test_a_linear_model_finds_what_the_features_show(tiny_net):
    model = keras_fm.models.building.replace_head(
        keras_fm.get("tiny_net", weights=None), ["dark", "light"]
    )
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 60)
    images = random.integers(0, 100, (60, 32, 32, 3)) + 100 * targets[:, None, None, None]
    whole = Examples(images.astype("uint8"), targets, "grey")
    scores = linear_probe.linear_probe(
        model, whole.subset(slice(40), "a"), whole.subset(slice(40, None), "b")
    )
    assert scores["accuracy"] == 1
    assert scores["cross_entropy"] < 0.3
    mixed = Examples(whole.inputs, random.permutation(targets), "mixed")
    scores = linear_probe.linear_probe(
        model, mixed.subset(slice(40), "a"), mixed.subset(slice(40, None), "b")
    )
    assert scores["accuracy"] < 0.8
    assert scores["cross_entropy"] < 1.2


def test_a_quantity_is_probed_on_its_own_scale():
    sample = datasets.sample("diamonds")
    scores = linear_probe.linear_probe(
        keras_fm.get("linear_regression"), sample.subset(slice(200), "a"),
        sample.subset(slice(200, None), "b"),
    )  # fmt: skip
    assert scores["rmse_log"] == pytest.approx(0.17, abs=0.05)


def test_logistic_regression_is_at_its_minimum():
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 4))
    y = random.integers(0, 3, 50)
    answer = linear_probe._logistic(x, y, 0.1, 3)
    assert answer(x).shape == (50, 3)
    shares = np.exp(answer(x)) / np.exp(answer(x)).sum(1, keepdims=True)
    # Where the bias is free, each class is foreseen as often as it comes.
    np.testing.assert_allclose(shares.mean(0), np.bincount(y) / 50, atol=1e-3)
