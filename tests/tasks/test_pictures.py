import helpers
import numpy as np
import pytest

from keras_fm.tasks import pictures


def test_a_grid_lays_images_out_in_rows():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.ones((5, 2, 3, 3), np.uint8)
    sheet = pictures.image_grid(images, columns=2, zoom=1)
    assert (sheet.shape, sheet.dtype) == ((6, 6, 3), np.uint8)
    corners = sheet[::2, ::3, 0]
    assert corners.tolist() == [[1, 2], [3, 4], [5, 0]]


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
