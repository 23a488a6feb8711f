import importlib

import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry, tasks
from keras_fm.data import datasets
from keras_fm.models import building, spec

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.GradientTape sees TensorFlow's variables"
)


@pytest.fixture
def by_hand(monkeypatch):
    """Imports one of the programs."""
    monkeypatch.syspath_prepend(str(helpers.ROOT / "docs" / "by_hand"))
    return importlib.import_module


def test_gradient_descent_finds_the_line(by_hand):
    line = by_hand("line")
    x, y = line.points()
    slope, intercept, steps = line.descend(x, y)
    best_slope, best_intercept = np.polyfit(x, y, 1)
    assert (slope, intercept) == pytest.approx((best_slope, best_intercept), abs=1e-3)
    assert slope == pytest.approx(2, abs=0.1)
    assert intercept == pytest.approx(1.5, abs=0.05)
    assert 10 < steps < 10_000
    assert line.descend(x, y, threshold=0.1)[2] < steps


def test_two_layers_separate_what_a_line_can_not(by_hand):
    right = by_hand("two_layers").train(*by_hand("two_layers").ring_and_disc())
    assert right[0] < 0.9
    assert right[-1] == 1


def test_the_loop_by_hand_has_the_losses_of_fit(by_hand):
    room, _ = registry.find("cifar_cnn_basic")
    recipe = room.recipe.override(epochs=2, batch_size=32)
    examples = datasets.sample("cifar10")
    losses = list(by_hand("fit").train(examples, recipe, seed=3))

    keras.utils.set_random_seed(3)
    model = building.build(room, spec.default_spec(room))
    batches = tasks.task_of(model).batches(examples, recipe, seed=3)
    tasks.task_of(model).learner(model, recipe, steps=len(losses))
    means = []

    class Record(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            batches.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            means.append(logs["loss"])

    model.fit(batches.as_dataset(), epochs=2, shuffle=False, verbose=0, callbacks=[Record()])
    # `fit` logs the mean since the epoch began.
    by_fit = np.diff(np.reshape(means, (2, 8)) * np.arange(1, 9), prepend=0)
    np.testing.assert_allclose(np.reshape(losses, (2, 8)), by_fit, atol=1e-4)
    assert np.mean(losses[8:]) < np.mean(losses[:8])
