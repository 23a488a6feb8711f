"""Every model on the backend that KERAS_BACKEND names; `.ci/run` calls this file with jax."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import helpers
import keras
import numpy as np
import pytest

from keras_fm import models, registry, tasks, weights
from keras_fm.errors import KerasFmError

MODELS = registry.list_models()


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[Executor]:
    """A second Python, with TensorFlow below Keras: one for all models, for it starts slowly."""
    with (
        pytest.MonkeyPatch.context() as environment,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor,
    ):
        environment.setenv("KERAS_BACKEND", "tensorflow")
        assert executor.submit(keras.backend.backend).result() == "tensorflow"
        yield executor


def answers(name: str, file: Path) -> np.ndarray:
    """What a model says to a few of its sample."""
    model = models.get(name, weights=file)
    task = tasks.of(model)
    sample = task.encode(task.load("sample").take(slice(32), "a few"))
    return np.asarray(model.predict(sample.inputs, verbose=0))


@pytest.mark.parametrize("name", MODELS)
def test_one_training_step_has_a_finite_loss(name):
    model = models.get(name, weights=None)
    before = helpers.all_weights(model)
    try:
        loss = helpers.train_one_step(model, name)
    except KerasFmError as error:
        if "TensorFlow backend alone" not in str(error):
            raise
        pytest.skip(str(error))
    assert np.isfinite(loss)
    after = helpers.all_weights(model)
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="this is TensorFlow itself")
def test_it_answers_what_tensorflow_answers(name, tensorflow, tmp_path):
    has_weights = registry.info(name).pretrained
    file = tmp_path / "model.weights.h5"
    weights.save(models.get(name, weights="default" if has_weights else None), file)
    theirs = tensorflow.submit(answers, name, file).result()
    # Relative too: a price of thousands of dollars has its last digits behind the point.
    np.testing.assert_allclose(answers(name, file), theirs, atol=1e-4, rtol=1e-5)
