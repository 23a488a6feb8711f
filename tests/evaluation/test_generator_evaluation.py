import numpy as np
import pytest

from keras_fm.data import datasets
from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.errors import UnknownNameError
from keras_fm.evaluation import generator_evaluation
from keras_fm.models import loading
from keras_fm.tasks.image_generation.objective import frechet_distance


def test_the_frechet_distance_of_shifted_and_scaled_gaussians():
    random = np.random.default_rng(0)
    one = random.normal(0.0, 1.0, (200_000, 1)) * [1.0, 0.0] + random.normal(size=(200_000, 2))
    shifted = one + np.array([3.0, 4.0])
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, shifted) == pytest.approx(25, rel=1e-9)
    # Of independent axes the distance is the sum of (difference of the deviations) squared.
    deviations = one.std(axis=0, ddof=1)
    wider = 3 * one
    expected = np.square(2 * deviations).sum() + np.square(2 * one.mean(axis=0)).sum()
    assert frechet_distance(one, wider) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_depends_on_correlation_and_is_symmetric():
    random = np.random.default_rng(1)
    independent = random.normal(size=(50_000, 2))
    correlated = np.repeat(independent[:, :1], 2, axis=1)
    distance = frechet_distance(independent, correlated)
    # tr(I) + tr(B) - 2 tr sqrt(B), where B has the eigenvalues 2 and 0.
    assert distance == pytest.approx(4 - 2 * np.sqrt(2), rel=0.03)
    assert distance == pytest.approx(frechet_distance(correlated, independent), rel=1e-6)


def test_the_frechet_distance_takes_fewer_examples_than_features():
    few = np.random.default_rng(2).normal(size=(5, 20))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_features_are_the_inputs_of_the_evaluators_last_layer(tiny_gan):
    images = datasets.sample("cifar10").inputs[:20]
    evaluator = generator_evaluation.GeneratorEvaluator("tiny_net")
    labels, features = evaluator.predict_with_features(images)
    model = loading.get("tiny_net")
    kernel, bias = model.get_layer("logits").get_weights()
    logits = np.asarray(model(images))
    np.testing.assert_allclose(features @ kernel + bias, logits, atol=1e-4)
    assert labels.tolist() == logits.argmax(-1).tolist()


def test_an_evaluator_needs_weights(tiny_net):
    with pytest.raises(UnknownNameError, match="'tiny_net' has no pretrained weights"):
        generator_evaluation.GeneratorEvaluator("tiny_net")


def test_a_classifier_is_trained_on_the_generated_images_alone(tiny_gan):
    """On bright and dark images: with their labels, and with these exchanged."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = random.integers(0, 60, (400, 32, 32, 3)) + 190 * labels[:, None, None, None]
    generated = Examples(images.astype("uint8"), labels, "bright and dark")
    real = np.array([np.full((32, 32, 3), level) for level in (10, 240)], "uint8")
    evaluator = generator_evaluation.GeneratorEvaluator("tiny_net")
    recipe = evaluator.spec.package.path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("learning_rate = 0.01", "learning_rate = 0.3"))
    assert evaluator.train_on_generated(generated, real).tolist() == [0, 1]
    exchanged = Examples(generated.inputs, 1 - labels, "exchanged")
    assert evaluator.train_on_generated(exchanged, real).tolist() == [1, 0]


def test_the_seed_gives_the_classifiers_weights_and_the_order(tiny_gan, monkeypatch):
    generated = datasets.sample("cifar10").subset(slice(64), "generated")
    evaluator = generator_evaluation.GeneratorEvaluator("tiny_net")
    monkeypatch.setattr(generator_evaluation, "EPOCHS", 1)
    weights, orders = [], []
    monkeypatch.setattr(
        evaluator.spec.package.module("model"),
        "adapt",
        lambda model, examples: weights.append(model.get_layer("logits").get_weights()[0]),
        raising=False,
    )
    batch_for = Batches.batch_for
    monkeypatch.setattr(
        Batches,
        "batch_for",
        lambda self, *args: orders[-1].append(tuple(args[0])) or batch_for(self, *args),
    )
    for seed in (1, 1, 2):
        orders.append([])
        evaluator.train_on_generated(generated, generated.inputs[:2], seed)
    for values in (np.array(weights), np.array(orders)):
        np.testing.assert_array_equal(values[0], values[1])
        assert not np.array_equal(values[0], values[2])


def test_the_classifier_is_adapted_and_sees_another_order_in_each_epoch(tiny_gan, monkeypatch):
    generated = datasets.sample("cifar10").subset(slice(64), "generated")
    evaluator = generator_evaluation.GeneratorEvaluator("tiny_net")
    adapted, orders = [], []
    monkeypatch.setattr(
        evaluator.spec.package.module("model"),
        "adapt",
        lambda model, examples: adapted.append(examples.description),
        raising=False,
    )
    batch_for = Batches.batch_for
    monkeypatch.setattr(
        Batches, "batch_for", lambda self, *args: orders.append(args[0]) or batch_for(self, *args)
    )
    evaluator.train_on_generated(generated, generated.inputs[:2])
    assert adapted == ["generated"]
    epochs = {tuple(indices) for indices in orders[:: len(orders) // generator_evaluation.EPOCHS]}
    assert len(epochs) == generator_evaluation.EPOCHS
