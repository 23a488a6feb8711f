"""Every model on the backend that KERAS_BACKEND names; `.ci/run` calls this file with jax."""

import helpers
import keras
import numpy as np
import pytest

from keras_fm import models, registry, tasks, weights
from keras_fm.errors import KerasFmError

MODELS = registry.list_models()

ON_TENSORFLOW = """
import sys
import numpy as np
from keras_fm import models, tasks
name, file, answers = sys.argv[1:]
model = models.get(name, weights=file)
task = tasks.of(model)
sample = task.encode(task.load("sample").take(slice(32), "a few"))
np.save(answers, model.predict(sample.inputs, verbose=0))
"""


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
def test_it_answers_what_tensorflow_answers(name, tmp_path):
    has_weights = registry.info(name).pretrained
    model = models.get(name, weights="default" if has_weights else None)
    file = tmp_path / "model.weights.h5"
    weights.save(model, file)
    done = helpers.python(
        ON_TENSORFLOW, name, file, tmp_path / "answers.npy", KERAS_BACKEND="tensorflow"
    )
    assert done.returncode == 0, done.stderr
    task = tasks.of(model)
    sample = task.encode(task.load("sample").take(slice(32), "a few"))
    ours = np.asarray(model.predict(sample.inputs, verbose=0))
    theirs = np.load(tmp_path / "answers.npy")
    # Relative too: a price of thousands of dollars has its last digits behind the point.
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-5)
