"""The programs in docs/by_hand."""

import importlib
import re
import runpy

import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec

FOLDER = helpers.ROOT / "docs" / "by_hand"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.GradientTape sees TensorFlow's variables"
)


@pytest.fixture
def by_hand(monkeypatch):
    """Imports one of the programs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_gradient_descent_finds_the_line_of_least_squares(by_hand):
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
    accuracy = by_hand("two_layers").train(*by_hand("two_layers").ring_and_disc())
    assert accuracy[0] < 0.9
    assert accuracy[-1] == 1


@pytest.mark.thorough
def test_the_loop_by_hand_prints_the_losses_of_fit(by_hand, capsys):
    runpy.run_path(str(FOLDER / "fit.py"), run_name="__main__")
    printed = re.findall(r"step \d+: loss (\d\.\d{4})", capsys.readouterr().out)
    losses = np.reshape([float(loss) for loss in printed], (2, 8))

    spec = ModelSpec.of(registry.find("cifar_cnn_basic")[0])
    task, recipe = spec.task, by_hand("fit").default_recipe()
    model = building.build_for_training(spec, seed=0, precision="float32")
    batches = task.data.batches(datasets.sample("cifar10"), recipe, seed=0)
    task.objective.compiled_model(model, recipe, steps=losses.size)
    means = []

    class Record(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            batches.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            means.append(logs["loss"])

    model.fit(batches.as_dataset(), epochs=2, shuffle=False, verbose=0, callbacks=[Record()])
    # `fit` logs the mean since the epoch began.
    by_fit = np.diff(np.reshape(means, (2, 8)) * np.arange(1, 9), prepend=0)
    np.testing.assert_allclose(losses, by_fit, atol=2e-4)
    assert losses[1].mean() < losses[0].mean()
