"""Early stopping, on a model whose losses are made up."""

import keras
import numpy as np
import pytest

from keras_fm.training.early_stopping import EarlyStopping


@pytest.fixture
def model():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build((None, 1))
    model.set_weights([np.array([[0.0]]), np.array([0.0])])
    return model


def train(model, folder, losses, *, patience=2, initial_loss=10.0, resumed_after=0):
    """Return the final weight, where each epoch adds 1 to it, and the number of epochs."""
    callback = EarlyStopping(folder, patience, initial_loss)
    callback.set_model(model)
    is_unfinished = callback.restore([{"val_loss": loss} for loss in losses[:resumed_after]])
    callback.on_train_begin()
    model.stop_training, epoch = False, resumed_after
    while is_unfinished and epoch < len(losses) and not model.stop_training:
        model.set_weights([np.array([[epoch + 1.0]]), np.array([0.0])])
        callback.on_epoch_end(epoch, {"val_loss": losses[epoch]})
        epoch += 1
    callback.on_train_end()
    return float(model.get_weights()[0][0, 0]), epoch


@pytest.mark.parametrize(
    ("losses", "weight", "epochs"),
    [
        ([5, 4, 3, 2], 4, 4),
        ([5, 4, 6, 7, 1], 2, 4),
        ([5, 6, 4, 6, 3, 8], 5, 6),
        ([11, 12, 1], 0, 2),
        ([5, 5, 5, 1], 1, 3),
        ([5, np.nan, 4, 6, np.nan, 1], 3, 5),
    ],
    ids=["falls", "rises", "jumps", "above-the-initial-loss", "stays", "nan"],
)
def test_it_ends_with_the_weights_of_the_lowest_loss(model, tmp_path, losses, weight, epochs):
    assert train(model, tmp_path, losses) == (weight, epochs)


def test_any_loss_is_below_an_initial_loss_of_nan(model, tmp_path):
    assert train(model, tmp_path, [5, 6, 7, 1], initial_loss=np.nan) == (1, 3)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_resumed_training_counts_the_epochs_before(model, tmp_path, epochs):
    losses = [5, 4, 6, 7, 1]
    train(model, tmp_path, losses[:epochs])
    assert train(model, tmp_path, losses, resumed_after=epochs) == (2, 4)


def test_a_training_that_had_stopped_early_trains_no_more_when_resumed(model, tmp_path):
    losses = [5, 4, 6, 7, 1]
    train(model, tmp_path, losses[:4])
    assert train(model, tmp_path, losses, resumed_after=4) == (2, 4)


def test_a_resumed_training_ends_with_the_best_weights_of_before(model, tmp_path):
    callback = EarlyStopping(tmp_path, 2, 9.0)
    callback.set_model(model)
    best = [np.full_like(array, 7) for array in model.get_weights()]
    model.set_weights(best)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_loss": 1.0})
    model.set_weights([0 * array for array in best])  # of a worse epoch, where it was stopped
    resumed = EarlyStopping(tmp_path, 2, 9.0)
    resumed.set_model(model)
    resumed.restore([{"val_loss": 1.0}, {"val_loss": 2.0}])
    resumed.on_train_begin()
    resumed.on_epoch_end(2, {"val_loss": 3.0})
    assert model.stop_training
    resumed.on_train_end()
    for weights, expected in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(weights, expected)
