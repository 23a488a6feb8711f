import helpers
import numpy as np
import pytest

from keras_fm.tasks import plots


@pytest.mark.parametrize("log", [True, False])
def test_the_diagonal_of_a_plot_of_predictions_is_marked(log):
    targets = np.exp(np.random.default_rng(0).normal(7, 1, 200))
    picture = plots.plot_predictions(targets, targets[::-1], log=log)
    assert picture.dtype == np.uint8
    is_blue = (picture == plots._BLUE).all(-1)
    assert is_blue.sum() >= 360
    rows, columns = np.nonzero(is_blue)
    assert np.corrcoef(rows, columns)[0, 1] < -0.99


def test_calibrated_probabilities_have_bars_up_to_the_diagonal():
    targets = np.array([0, 1] * 50)
    sure = np.eye(2)[targets]
    picture = plots.plot_reliability(sure, targets)
    is_bar = (picture == plots._BLUE).all(-1)
    assert is_bar.any(axis=1).sum() > 340  # of 360 rows: an accuracy of 1
    wrong = plots.plot_reliability(sure, 1 - targets)
    assert (wrong == plots._BLUE).all(-1).sum() < 0.1 * is_bar.sum()


def test_a_grid_with_captions_has_no_black_remainder():
    images = np.maximum(helpers.noise(5).inputs, 50)
    picture = plots.caption_grid(images, ["a", "b", "c", "d", "a very long name of a class"], 4)
    height, width = picture.shape[0] // 2, picture.shape[1] // 4
    assert (picture[height:, width + 4 :] == 255).all()
    assert picture[:height].min() == 0  # the captions


@pytest.mark.parametrize("channels", [1, 3])
def test_names_of_rows_stand_beside_them(channels):
    grid = np.full((80, 60, channels), 200, np.uint8)
    picture = plots.label_rows(grid, ["cat", "dog"])
    margin = picture.shape[1] - 60
    assert (picture[:, margin:] == 200).all()
    assert picture[:40, :margin].min() < 100
    assert picture[40:, :margin].min() < 100
