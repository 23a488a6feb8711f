"""What `train` makes of a user's own images and texts: the split, as `fine_tune` makes it."""

import helpers
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.training import jobs

COUNT = 100


def images_and_labels():
    """Return 20 images of one class and 80 of another, every image twice."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT // 2, 8, 8, 3), dtype=np.uint8)
    labels = ["cat"] * (COUNT // 10) + ["dog"] * (COUNT * 4 // 10)
    return np.repeat(images, 2, axis=0), np.repeat(labels, 2)


def texts_and_labels():
    """Return 20 texts of one class and 80 of another, every text twice."""
    texts = [f"a review of the film number {number}" for number in range(COUNT // 2)]
    labels = ["bad"] * (COUNT // 10) + ["good"] * (COUNT * 4 // 10)
    return np.repeat(texts, 2).tolist(), np.repeat(labels, 2).tolist()


def keys(examples):
    return {np.asarray(row).tobytes() for row in examples.inputs}


@pytest.mark.parametrize(
    ("name", "data"),
    [("cifar_cnn_basic", images_and_labels()), ("lstm", texts_and_labels())],
    ids=["images", "texts"],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_split_is_stratified_and_duplicates_stay_on_one_side(name, data, seed):
    package, _ = registry.find(name)
    job = jobs.training_job(
        package, data=data, target=None, problem_type=None, seed=seed, overrides={}
    )
    assert np.bincount(job.validation.targets).tolist() == [4, 16]
    assert np.bincount(job.examples.targets).tolist() == [16, 64]
    assert not keys(job.examples) & keys(job.validation)
    assert len(keys(job.examples) | keys(job.validation)) == COUNT // 2


def test_the_last_ones_of_examples_validate():
    package, _ = registry.find("cifar_cnn_basic")
    examples = helpers.noise(30)
    job = jobs.training_job(
        package, data=examples, target=None, problem_type=None, seed=0,
        overrides={"validation_examples": 10},
    )  # fmt: skip
    np.testing.assert_array_equal(job.examples.inputs, examples.inputs[:20])
    np.testing.assert_array_equal(job.validation.inputs, examples.inputs[20:])


def test_a_model_is_not_adapted_to_the_examples_that_validate(monkeypatch):
    package, _ = registry.find("lstm")
    sample = datasets.sample("imdb_reviews")
    lengths = {package.entry.split("train"): 100, package.entry.split("adapt"): 150}
    monkeypatch.setattr(
        datasets, "load", lambda dataset, split: sample.subset(slice(lengths[split]), split)
    )
    job = jobs.training_job(
        package, data=None, target=None, problem_type=None, seed=0,
        overrides={"validation_examples": 10},
    )  # fmt: skip
    assert [len(job.examples), len(job.validation), len(job.adapt_examples)] == [90, 10, 140]
