"""The curves of a training in TensorBoard."""

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs
import tensorflow as tf

from keras_fm.data.batches import Batches
from keras_fm.optimizers.optimizers import make_optimizer
from keras_fm.training import curves
from keras_fm.training.event_files import TRAIN, VALIDATION, EventWriters


def curve(path, tag, folder=TRAIN):
    """Return the points of a curve by step."""
    events = tensorboard_logs.read_events(path / "logs" / folder).Tensors(tag)
    return {event.step: float(tf.make_ndarray(event.tensor_proto)) for event in events}


def callback_for(path, num_examples=24, **fields):
    recipe = helpers.recipe(**{"batch_size": 8, "drop_remainder": False, **fields})
    batches = Batches(np.zeros(num_examples), np.zeros(num_examples), recipe=recipe, seed=0)
    callback = curves.Curves(EventWriters(path), batches, "images")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25))
    callback.set_model(model)
    return callback


def run_epochs(callback, losses, logs=None):
    """Call a callback as `fit` does, with Keras' running means of the losses."""
    for epoch, epoch_losses in enumerate(losses):
        callback.on_epoch_begin(epoch)
        for batch in range(len(epoch_losses)):
            mean = np.mean(epoch_losses[: batch + 1])
            callback.on_train_batch_end(batch, {"loss": mean, "accuracy": 0.5})
        callback.on_epoch_end(epoch, {"loss": mean, "accuracy": 0.5, **(logs or {})})
    callback.on_train_end()


def test_the_throughput_is_of_examples_without_the_validation(tmp_path, monkeypatch):
    callback = callback_for(tmp_path)
    callback.steps_per_point = 3
    now = iter([10.0, 11.0, 12.0, 14.0, 100.0, 101.0, 102.0, 103.0])
    monkeypatch.setattr(curves.time, "perf_counter", lambda: next(now))
    run_epochs(callback, [[1.0, 1.0, 1.0]] * 2)
    assert curve(tmp_path, "4_speed/images_per_second") == {3: 24 / 4, 6: 24 / 3}


def test_a_short_training_has_the_loss_of_each_step_and_shares_the_plot_of_the_validation(tmp_path):
    callback = callback_for(tmp_path, epochs=2)
    run_epochs(callback, [[4.0, 2.0, 3.0], [1.0, 0.5, 2.0]], {"val_loss": 9.0, "val_accuracy": 0.1})
    losses = {1: 4.0, 2: 2.0, 3: 3.0, 4: 1.0, 5: 0.5, 6: 2.0}
    assert curve(tmp_path, "1_loss/loss") == pytest.approx(losses)
    assert curve(tmp_path, "1_loss/loss", VALIDATION) == {3: 9.0, 6: 9.0}
    assert curve(tmp_path, "2_metrics/accuracy") == {3: 0.5, 6: 0.5}
    accuracy = curve(tmp_path, "2_metrics/accuracy", VALIDATION)
    assert accuracy == pytest.approx({3: 0.1, 6: 0.1})
    assert curve(tmp_path, "3_optimizer/learning_rate") == dict.fromkeys(losses, 0.25)


def test_the_norm_of_the_gradient_is_a_curve(tmp_path):
    callback = callback_for(tmp_path, num_examples=8)
    recipe = callback.batches.recipe
    callback.model.compile(make_optimizer(recipe, steps=1), loss="mse")
    # The gradient of (2 w - 4)^2 at 0 is -16 for w, and -8 for the bias.
    callback.model.build((None, 1))
    callback.model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    callback.model.train_on_batch(np.full((8, 1), 2.0), np.full((8, 1), 4.0))
    run_epochs(callback, [[1.0]])
    assert curve(tmp_path, "3_optimizer/gradient_norm") == pytest.approx({1: (16**2 + 8**2) ** 0.5})


def test_the_points_of_a_long_training_are_bounded_and_are_means(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "MAX_POINTS", 2)
    callback = callback_for(tmp_path, epochs=2, num_examples=32)
    run_epochs(callback, [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    assert curve(tmp_path, "1_loss/loss") == pytest.approx({4: 2.5, 8: 6.5})


def test_a_point_may_lie_in_the_next_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "MAX_POINTS", 2)
    callback = callback_for(tmp_path, epochs=3)
    run_epochs(callback, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    assert curve(tmp_path, "1_loss/loss") == pytest.approx({5: 3.0, 9: 7.5})


def test_a_batch_that_is_not_full_has_no_loss_of_its_own(tmp_path):
    """Keras' mean counts its few examples, which its steps alone don't tell."""
    callback = callback_for(tmp_path, num_examples=17)
    run_epochs(callback, [[4.0, 2.0, 100.0]])
    assert curve(tmp_path, "1_loss/loss") == pytest.approx({1: 4.0, 2: 2.0})
    assert len(curve(tmp_path, "4_speed/images_per_second")) == 3


def test_both_networks_of_a_gan_have_losses(tmp_path):
    callback = callback_for(tmp_path, num_examples=8)
    callback.on_epoch_begin(0)
    logs = {"generator_loss": 1.0, "discriminator_loss": 2.0}
    callback.on_train_batch_end(0, logs)
    callback.on_epoch_end(0, logs)
    callback.on_train_end()
    assert curve(tmp_path, "1_loss/generator_loss") == {1: 1.0}
    assert curve(tmp_path, "1_loss/discriminator_loss") == {1: 2.0}
