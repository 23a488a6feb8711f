import numpy as np
import pytest

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import UnknownNameError
from keras_fm.evaluation import generator_evaluation
from keras_fm.models import loading


def test_the_distance_of_gaussians_along_one_axis_is_known():
    random = np.random.default_rng(0)
    one = random.normal(0.0, 1.0, (200_000, 1)) * [1.0, 0.0] + random.normal(size=(200_000, 2))
    shifted = one + np.array([3.0, 4.0])
    assert generator_evaluation.frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert generator_evaluation.frechet_distance(one, shifted) == pytest.approx(25, rel=1e-9)
    # Of independent axes the distance is the sum of (difference of the deviations) squared.
    deviations = one.std(axis=0, ddof=1)
    wider = 3 * one
    expected = np.square(2 * deviations).sum() + np.square(2 * one.mean(axis=0)).sum()
    assert generator_evaluation.frechet_distance(one, wider) == pytest.approx(expected, rel=1e-6)


def test_the_distance_sees_correlation_and_is_symmetric():
    random = np.random.default_rng(1)
    free = random.normal(size=(50_000, 2))
    bound = np.repeat(free[:, :1], 2, axis=1)
    there, back = (
        generator_evaluation.frechet_distance(free, bound),
        generator_evaluation.frechet_distance(bound, free),
    )
    # tr(I) + tr(B) - 2 tr sqrt(B), where B has the eigenvalues 2 and 0.
    assert there == pytest.approx(4 - 2 * np.sqrt(2), rel=0.03)
    assert there == pytest.approx(back, rel=1e-6)


def test_fewer_examples_than_features_are_no_trouble():
    few = np.random.default_rng(2).normal(size=(5, 20))
    assert generator_evaluation.frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_a_judge_looks_with_the_layer_before_its_logits(tiny_gan):
    sample = datasets.sample("cifar10").inputs[:20]
    answers, features = generator_evaluation.GeneratorEvaluator("tiny_net").look(sample)
    model = loading.get("tiny_net")
    kernel, bias = model.get_layer("logits").get_weights()
    logits = np.asarray(model(sample))
    np.testing.assert_allclose(features @ kernel + bias, logits, atol=1e-4)
    assert answers.tolist() == logits.argmax(-1).tolist()


def test_a_judge_needs_weights(tiny_net):
    with pytest.raises(UnknownNameError, match="'tiny_net' has no pretrained weights"):
        generator_evaluation.GeneratorEvaluator("tiny_net")


def test_a_pupil_knows_what_its_lessons_taught(tiny_gan):
    """Of bright and dark pictures: with the labels of the lessons, and with theirs exchanged."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = random.integers(0, 60, (400, 32, 32, 3)) + 190 * labels[:, None, None, None]
    lessons = Examples(images.astype("uint8"), labels, "bright and dark")
    dark_and_bright = np.array([np.full((32, 32, 3), level) for level in (10, 240)], "uint8")
    judge = generator_evaluation.GeneratorEvaluator("tiny_net")
    recipe = judge.room.path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("learning_rate = 0.01", "learning_rate = 0.3"))
    assert judge.answers_of_a_pupil(lessons, dark_and_bright).tolist() == [0, 1]
    exchanged = Examples(lessons.inputs, 1 - labels, "exchanged")
    assert judge.answers_of_a_pupil(exchanged, dark_and_bright).tolist() == [1, 0]
