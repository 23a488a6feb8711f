"""Early stopping, on a model whose loss is told to it."""

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


def follow(model, folder, losses, *, first=10.0, patience=2, before=0):
    """What the weight is at the end, where each epoch adds 1 to it; and how many there were."""
    best = EarlyStopping(folder, patience, first)
    best.set_model(model)
    more = best.go_on([{"val_loss": loss} for loss in losses[:before]])
    best.on_train_begin()
    model.stop_training, epoch = False, before
    while more and epoch < len(losses) and not model.stop_training:
        model.set_weights([np.array([[epoch + 1.0]]), np.array([0.0])])
        best.on_epoch_end(epoch, {"val_loss": losses[epoch]})
        epoch += 1
    best.on_train_end()
    return float(model.get_weights()[0][0, 0]), epoch


@pytest.mark.parametrize(
    ("losses", "weight", "epochs"),
    [
        ([5, 4, 3, 2], 4, 4),
        ([5, 4, 6, 7, 1], 2, 4),
        ([5, 6, 4, 6, 3, 8], 5, 6),
        ([11, 12, 1], 0, 2),
        ([5, 5, 5, 1], 1, 3),
    ],
    ids=["falls", "rises", "jumps", "worse-than-the-start", "stays"],
)
def test_it_ends_with_the_lowest_loss(model, tmp_path, losses, weight, epochs):
    assert follow(model, tmp_path, losses) == (weight, epochs)


@pytest.mark.parametrize("before", [1, 2, 3])
def test_it_goes_on_counting(model, tmp_path, before):
    losses = [5, 4, 6, 7, 1]
    follow(model, tmp_path, losses[:before])
    assert follow(model, tmp_path, losses, before=before) == (2, 4)


def test_a_training_that_was_stopped_at_its_end_trains_no_more(model, tmp_path):
    losses = [5, 4, 6, 7, 1]
    follow(model, tmp_path, losses[:4])
    assert follow(model, tmp_path, losses, before=4) == (2, 4)
