import io

import helpers
import numpy as np
import pytest
from PIL import Image

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.images.loading import load_images


def decode_with_pillow(raw):
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"), np.float32)


def load(*inputs, size=(32, 32)):
    return load_images(list(inputs), *size, 3)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_an_image_of_the_size_of_the_model_keeps_its_values(dtype):
    image = helpers.image(32, 32)
    batch = load(image.astype(dtype))
    assert (batch.shape, batch.dtype) == ((1, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(batch[0], image)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (31, 33), (200, 300), (64, 64)])
def test_any_size_is_resized_to_that_of_the_model(size):
    batch = load(helpers.image(*size), size=(24, 32))
    assert batch.shape == (1, 24, 32, 3)
    assert batch.min() >= 0
    assert batch.max() <= 255
    one_color = load(np.full((*size, 3), 77, np.uint8), size=(24, 32))
    np.testing.assert_allclose(one_color, 77, rtol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(32, 52), (52, 32), (32, 33), (33, 32)])
def test_the_center_is_cropped(rows, columns):
    image = helpers.image(rows, columns)
    top, left = (rows - 32) // 2, (columns - 32) // 2
    np.testing.assert_array_equal(load(image)[0], image[top : top + 32, left : left + 32])


def test_the_crop_has_the_aspect_ratio_of_the_model():
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:30] = 200
    np.testing.assert_allclose(load(image, size=(8, 16)), 200, rtol=1e-6)
    np.testing.assert_allclose(load(image, size=(20, 40)), 200, rtol=1e-6)


def test_downscaling_is_antialiased():
    checkerboard = np.indices((72, 72)).sum(0) % 2 * 255
    batch = load(checkerboard.astype("uint8"), size=(8, 8))
    assert abs(batch[0, 2:6, 2:6] - 127.5).max() < 8


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1)])
def test_a_gray_array_becomes_three_channels(shape):
    gray = helpers.image(20, 30)[..., 0]
    color = np.stack([gray] * 3, axis=-1)
    np.testing.assert_array_equal(load(gray.reshape(shape)), load(color))


def test_a_batch_is_a_list_of_images():
    batch = np.stack([helpers.image(40, 50, seed) for seed in range(3)])
    np.testing.assert_array_equal(load_images(batch, 32, 32, 3), load(*batch))


@pytest.mark.parametrize("wrap", [list, tuple, iter])
def test_images_of_different_sizes_make_one_batch(wrap):
    inputs = [
        helpers.image(10, 20),
        helpers.encode(helpers.image(32, 32)),
        helpers.image(9, 9)[..., 0],
    ]
    batch = load_images(wrap(inputs), 32, 32, 3)
    assert batch.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(batch[1], helpers.image(32, 32))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_files_are_read_from_paths_and_bytes(kind, tmp_path):
    raw = helpers.encode(helpers.gradient(), kind)
    path = tmp_path / "a file"
    path.write_bytes(raw)
    for inputs in (raw, path, str(path), [raw], [path]):
        batch = load_images(inputs, 32, 32, 3)
        np.testing.assert_allclose(
            batch[0], decode_with_pillow(raw), atol=4 if kind == "JPEG" else 0
        )


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "L")]
)
def test_files_of_any_color_mode_become_rgb(kind, mode):
    picture = Image.fromarray(helpers.gradient()).convert(mode)
    stream = io.BytesIO()
    picture.save(stream, kind)
    raw = stream.getvalue()
    np.testing.assert_allclose(
        load(raw)[0], decode_with_pillow(raw), atol=4 if kind == "JPEG" else 0
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("length", [0, 10, 0.5])
def test_a_truncated_file_is_named(kind, length, tmp_path):
    raw = helpers.encode(helpers.image(32, 32), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(raw[: int(length * len(raw)) if length < 1 else length])
    size = path.stat().st_size
    with pytest.raises(InvalidInputError, match=rf"cut\.img is not an image.*: {size:,} bytes"):
        load_images(path, 32, 32, 3)


@pytest.mark.parametrize(
    ("inputs", "received"),
    [
        ([], "empty list"),
        (np.zeros((0, 32, 32, 3)), "empty list"),
        (None, "received NoneType"),
        (3, "received int"),
        ([None], "image 0: .*dtype object"),
        ([helpers.image(2, 2), "no/such.png"], "there is no file no/such.png: there is no"),
        ([helpers.ROOT / "keras_fm" / "store"], "store holds no image"),
        ([b"no image"], "image 0 is not an image.* 8 bytes"),
        ([np.zeros((4, 4, 2))], r"image 0: .*shape \(4, 4, 2\)"),
        ([np.zeros((4, 4, 4))], r"image 0: .*shape \(4, 4, 4\)"),
        ([np.zeros((0, 4, 3))], r"image 0: .*shape \(0, 4, 3\)"),
        ([np.zeros(4)], r"image 0: .*shape \(4,\)"),
        ([np.zeros((2, 4, 4, 3))], r"image 0: .*shape \(2, 4, 4, 3\)"),
        ([np.zeros((4, 4, 3)), np.full((4, 4, 3), 256)], "image 1: .*values 256 to 256"),
        ([np.full((4, 4, 3), -1.0)], "image 0: .*values -1.0"),
        ([np.full((4, 4, 3), np.nan)], "image 0: .*values nan"),
        ([np.full((4, 4, 3), np.inf)], "image 0: .*values inf"),
        ([np.zeros((4, 4, 3), bool)], "image 0: .*dtype bool"),
        ([np.zeros((4, 4, 3), complex)], "image 0: .*dtype complex"),
        ([[[1, 2], [3]]], "image 0: "),
        (["a\0b"], "can't be read"),
    ],
)  # fmt: skip
def test_invalid_input_is_named(inputs, received):
    with pytest.raises(InvalidInputError, match=received):
        load_images(inputs, 32, 32, 3)


def test_a_grayscale_model_takes_the_luma_of_colors():
    red = np.zeros((4, 4, 3), np.uint8)
    red[...] = (255, 0, 0)
    for inputs in (red, helpers.encode(red)):
        batch = load_images(inputs, 4, 4, 1)
        assert batch.shape == (1, 4, 4, 1)
        np.testing.assert_allclose(batch, 0.2989 * 255, atol=1)  # red's share, by ITU-R 601


def test_a_grayscale_model_takes_gray_as_it_is():
    gray = helpers.image(28, 28)[..., 0]
    for inputs in (gray, helpers.encode(gray)):
        np.testing.assert_allclose(load_images(inputs, 28, 28, 1)[0, ..., 0], gray, atol=1)
