"""`ema_momentum`: which weights are validated, kept best, resumed from and trained."""

import helpers
import keras
import numpy as np
import pytest

from keras_fm.models.spec import spec_of
from keras_fm.training.fine_tuning import fine_tune
from keras_fm.training.training import train

EMA = 0.8
OPTIONS = {"data": "sample", "validation_examples": 56, "batch_size": 50, "verbose": 0}


class Averages(keras.callbacks.Callback):
    """Computes the averages of the weights by step in numpy, and keeps those of each epoch."""

    def __init__(self):
        super().__init__()
        self.averages, self.by_epoch, self.val_losses = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        weights = trainable(self.model)
        if not self.averages:
            self.averages = weights
        pairs = zip(self.averages, weights, strict=True)
        self.averages = [EMA * average + (1 - EMA) * weight for average, weight in pairs]

    def on_epoch_end(self, epoch, logs=None):
        self.by_epoch.append(self.averages)
        for average, weight in zip(self.averages, trainable(self.model), strict=True):
            np.testing.assert_allclose(weight, average, atol=1e-5)
        self.val_losses.append(logs["val_loss"])


def trainable(model):
    return [np.array(variable) for variable in model.trainable_variables]


def test_the_trained_weights_are_the_averages(tiny_net, tmp_path):
    callback = Averages()
    run = train("tiny_net", epochs=2, ema_momentum=EMA, callbacks=callback,
                run_dir=tmp_path / "averaged", **OPTIONS)  # fmt: skip
    for weight, average in zip(trainable(run.model), callback.averages, strict=True):
        np.testing.assert_allclose(weight, average, atol=1e-5)
    assert run.metrics["cross_entropy"] == pytest.approx(callback.val_losses[-1], rel=1e-3)
    assert "moving averages (ema_momentum 0.8)" in run.report()
    # The training itself is the same.
    plain = train("tiny_net", epochs=2, run_dir=tmp_path / "plain", **OPTIONS)
    assert plain.history["loss"] == run.history["loss"]
    assert plain.history["val_loss"] != run.history["val_loss"]


@pytest.mark.thorough
def test_early_stopping_keeps_the_averages_of_the_best_epoch(tiny_net, tmp_path):
    callback = Averages()
    run = train("tiny_net", epochs=3, ema_momentum=EMA, patience=3, optimizer="adam",
                learning_rate=0.05, callbacks=callback, run_dir=tmp_path / "run",
                **OPTIONS)  # fmt: skip
    best = int(np.argmin(callback.val_losses))
    for weight, average in zip(trainable(run.model), callback.by_epoch[best], strict=True):
        np.testing.assert_allclose(weight, average, atol=1e-5)
    assert run.metrics["cross_entropy"] == pytest.approx(min(callback.val_losses), rel=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("patience", [0, 2])
def test_a_resumed_training_equals_an_uninterrupted_one(
    patience, tiny_net, uninterrupted_and_resumed
):
    uninterrupted, resumed = uninterrupted_and_resumed(
        "tiny_net", 1, epochs=3, batch_size=64, ema_momentum=EMA, patience=patience
    )
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert resumed.history["val_loss"] == uninterrupted.history["val_loss"]
    assert resumed.metrics == uninterrupted.metrics


@pytest.mark.thorough
def test_the_statistics_of_batch_normalization_are_those_of_the_averages(tiny_net, tmp_path):
    # As few examples as a batch has: the statistics are those of all of them.
    run = train("tiny_net", epochs=2, ema_momentum=EMA, drop_remainder=False,
                run_dir=tmp_path / "run", **{**OPTIONS, "batch_size": 200})  # fmt: skip
    sample = spec_of(run.model).task.data.load("sample")
    images = sample.inputs[:200]
    conv = keras.Model(run.model.input, run.model.get_layer("conv").output)
    features = np.asarray(conv.predict(images, verbose=0))
    norm = run.model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, features.mean((0, 1, 2)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, features.var((0, 1, 2)), rtol=1e-3)


@pytest.mark.thorough
def test_a_fine_tuning_averages_the_weights_of_each_stage(tmp_path):
    run = fine_tune(
        "cifar_cnn_basic", helpers.noise(40), class_names=[*"abc"], run_dir=tmp_path / "run",
        ema_momentum=EMA, **{"head.epochs": 1, "epochs": 2, "head.ema_momentum": 0.5},
    )  # fmt: skip
    assert run.metrics["cross_entropy"] == pytest.approx(min(run.history["val_loss"]), rel=0.02)
