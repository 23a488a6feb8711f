"""Explanations follow the weights: the sanity checks of Adebayo et al. 2018 (arXiv:1810.03292).

Of a model with other weights the maps are others; a method that only finds edges would not notice.
"""

import numpy as np
import pytest
from scipy.stats import spearmanr

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.explanation import explanation
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec

REVIEW = (
    "A great film with bad music, but the actors are wonderful and the story is never dull, "
    "although the ending was a little too long for my taste and the camera was poor."
)
MAX_CORRELATION = 0.5  # of the ranks, where the same weights have 1


def randomize(model, seed=1):
    """Draw all trainable weights again, as large as they were."""
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        values = np.asarray(variable)
        variable.assign(random.normal(size=values.shape, scale=values.std() + 1e-3))


def correlation(before, after):
    """The mean rank correlation of the maps, signs and all."""
    pairs = zip(before.attributions, after.attributions, strict=True)
    return np.mean([
        spearmanr(np.ravel(one.scores), np.ravel(other.scores)).statistic for one, other in pairs
    ])  # fmt: skip


def check_that_maps_follow_the_weights(model, inputs, method):
    before = explanation.explain(model, inputs, method=method)
    assert correlation(before, before) == pytest.approx(1)
    randomize(model)
    after = explanation.explain(model, inputs, method=method)
    assert abs(correlation(before, after)) < MAX_CORRELATION


@pytest.mark.parametrize("method", ["grad_cam", "occlusion", "integrated_gradients"])
def test_maps_of_images_follow_the_weights(method):
    images = datasets.sample("cifar10").inputs[:4]
    check_that_maps_follow_the_weights(loading.get("cifar_cnn_basic"), images, method)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
@pytest.mark.parametrize("name", ["tiny_reader", pytest.param("lstm", marks=pytest.mark.thorough)])
def test_scores_of_words_follow_the_weights(name, method, tiny_reader):
    package, _ = registry.find(name)
    model = loading.get(name) if package.entry.pretrained else building.build(ModelSpec.of(package))
    check_that_maps_follow_the_weights(model, REVIEW, method)


def test_attention_follows_the_weights():
    model = building.build(ModelSpec.of(registry.find("mini_bert")[0]), depth=2, width=32, heads=4)
    randomize(model, seed=2)
    check_that_maps_follow_the_weights(model, REVIEW, "attention")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("linear_regression", "occlusion"),
        ("linear_regression", "integrated_gradients"),
        ("linear_regression", "shap"),
        pytest.param("mlp", "occlusion", marks=pytest.mark.thorough),
        pytest.param("mlp", "integrated_gradients", marks=pytest.mark.thorough),
    ],
)
def test_scores_of_columns_follow_the_weights(name, method):
    if method == "shap":
        pytest.importorskip("shap")
    rows = {name: cells[:4] for name, cells in datasets.sample("diamonds").inputs.items()}
    check_that_maps_follow_the_weights(loading.get(name), rows, method)
