"""What `train` makes of a user's own images and texts: the split, as `fine_tune` makes it."""

import numpy as np
import pytest

from keras_fm import registry
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
