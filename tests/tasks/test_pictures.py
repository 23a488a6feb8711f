import helpers
import numpy as np
import pytest

from keras_fm.tasks import pictures


def test_a_grid_lays_images_out_in_rows():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.ones((5, 2, 3, 3), np.uint8)
    sheet = pictures.image_grid(images, columns=2, zoom=1)
    assert (sheet.shape, sheet.dtype) == ((6, 6, 3), np.uint8)
    corners = sheet[::2, ::3, 0]
    assert corners.tolist() == [[1, 2], [3, 4], [5, 255]]


def test_a_grid_keeps_the_pixels():
    images = helpers.noise(4).inputs
    sheet = pictures.image_grid(images, columns=2, zoom=3)
    assert sheet.shape == (192, 192, 3)
    np.testing.assert_array_equal(sheet[96::3, ::3][:, :32], images[2])


def test_the_confusion_matrix_is_darkest_where_most_is():
    counts = np.array([[9, 1, 0], [0, 10, 0], [5, 0, 5]])
    picture = pictures.plot_confusion_matrix(counts, ["cat", "dog", "very long name"], cell=40)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == picture.shape[1]
    margin = picture.shape[0] - 3 * 40
    shades = picture[margin + 2 :: 40, margin + 2 :: 40, 0][:3, :3].astype(int)
    assert shades[1, 1] < shades[0, 0] < shades[2, 0] == shades[2, 2] < shades[0, 1] < shades[0, 2]
    assert shades[0, 2] == 255


@pytest.mark.parametrize("labels", [["a", "b"], ["é", "日本"]])
def test_a_class_without_examples_is_drawn_too(labels):
    picture = pictures.plot_confusion_matrix(np.array([[0, 0], [0, 3]]), labels)
    assert picture.min() < 100


def test_a_heatmap_is_red_where_scores_are_positive_and_blue_where_negative():
    image = np.full((1, 3, 3), 100, np.uint8)
    [[positive, negative, none]] = pictures.overlay_heatmap(image, np.array([[2.0, -2.0, 0.0]]))
    assert positive.tolist() == [100 + 0.7 * 155 // 1, 100 - 0.7 * 60, 100 - 0.7 * 100]
    assert negative[2] > 100 > negative[0]
    assert none.tolist() == [100, 100, 100]


@pytest.mark.parametrize(("log", "of_ten"), [(True, 5), (False, 1)])
def test_a_density_has_targets_to_the_right_and_predictions_upwards(log, of_ten):
    targets, values = np.array([1.0, 10.0, 100.0] * 9), np.array([1.0, 10.0, 10.0] * 9)
    picture = pictures.prediction_density(targets, values, log=log, bins=11, zoom=1)
    assert picture.shape == (11, 11, 1)
    dark = {(int(row), int(column)) for row, column, _ in np.argwhere(picture < 255)}
    assert dark == {(10, 0), (10 - of_ten, of_ten), (10 - of_ten, 10)}


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    picture = pictures.plot_confusion_matrix(np.array([[0, 8], [0, 1]]), ["a", "b"], cell=40)
    margin = picture.shape[0] - 80

    def shade(row, column):
        return picture[margin + 40 * row + 3, margin + 40 * column + 3, 0]

    assert shade(0, 1) == shade(1, 1) < shade(0, 0) == shade(1, 0) == 255
