"""Raw images of every kind: files of all formats, images of Pillow, arrays, and what is none."""

import collections
import io

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.images import pillow
from keras_fm.preprocessing.images.inputs import read_images, to_image_files
from keras_fm.preprocessing.images.loading import load_images


def gradient(rows=24, columns=32):
    """A smooth picture of Pillow, RGB."""
    ramps = np.arange(rows)[:, None] * 7, np.arange(columns)[None] * 7, 90
    return Image.fromarray(np.stack(np.broadcast_arrays(*ramps), -1).astype("uint8"))


def transparent(rows=24, columns=32):
    """A picture of noise, RGBA, of which a half is opaque."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, columns, 4), dtype=np.uint8)
    pixels[: rows // 2, :, 3] = 255
    return Image.fromarray(pixels)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def load(inputs, rows=24, columns=32):
    return load_images(inputs, rows, columns, 3)


def on_white(image):
    """Composite a picture of Pillow on white, by Pillow."""
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image.convert("RGBA"))
    return np.asarray(background.convert("RGB"), "float32")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode)
     for kind, modes in {
         "BMP": ("RGB", "L", "P", "1"), "GIF": ("RGB", "L", "P"), "WEBP": ("RGB", "L"),
         "TIFF": ("RGB", "L", "P", "1", "CMYK", "YCbCr"), "PPM": ("RGB", "L", "1"),
         "TGA": ("RGB", "P"), "PCX": ("RGB", "P"), "ICO": ("RGB",), "PNG": ("RGB", "L", "P", "1"),
     }.items() for mode in modes],
)  # fmt: skip
def test_a_file_of_any_format_is_read_as_by_pillow(kind, mode, tmp_path):
    options = {"lossless": True} if kind == "WEBP" else {}
    options |= {"sizes": [(32, 24)]} if kind == "ICO" else {}
    file = encode(gradient().convert(mode), kind, **options)
    expected = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    path = tmp_path / "photo.jpg"  # the content counts, not the suffix
    path.write_bytes(file)
    for inputs in (file, path, [str(path)], bytearray(file), memoryview(file), io.BytesIO(file)):
        np.testing.assert_array_equal(load(inputs)[0], expected)


def bmp16():
    """A BMP of 16 bits a pixel: five of each color."""
    rows = np.full((24, 32), 0b0_11111_00000_10000, "<u2")
    header = b"BM" + np.array([54 + rows.nbytes, 0, 54, 40, 32, 24], "<u4").tobytes()
    header += np.array([1, 16], "<u2").tobytes() + bytes(24)
    return header + rows.tobytes()


def test_a_bmp_of_16_bits_is_read():
    np.testing.assert_array_equal(load(bmp16())[0, 0, 0], [255, 0, 131])


def test_the_first_frame_is_read():
    frames = [gradient(), gradient().transpose(Image.Transpose.ROTATE_180)]
    for kind in ("GIF", "TIFF", "PNG"):
        file = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        first = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        np.testing.assert_array_equal(load(file)[0], first)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"])
def test_an_image_of_pillow_of_any_mode_has_the_colors_that_it_shows(mode):
    if mode == "LAB":
        image = Image.fromarray(np.full((24, 32, 3), (128, 40, 20), np.uint8))
        image = Image.frombytes("LAB", image.size, image.tobytes())
    else:
        image = gradient().convert(mode)
    expected = np.asarray(image.convert("RGB"))
    for inputs in (image, [image]):
        np.testing.assert_array_equal(load(inputs)[0], expected)
    np.testing.assert_array_equal(load([image, expected])[0], load([expected, image])[1])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_transparency_of_pillow_is_composited_on_white(mode):
    image = transparent().convert("LA" if mode in ("La", "PA") else "RGBA")
    image = image.convert("RGBA").convert(mode) if mode == "PA" else image.convert(mode)
    straight = image.convert("LA") if mode == "La" else image
    np.testing.assert_allclose(load(image)[0], on_white(straight), atol=1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "TGA"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_of_files_is_composited_on_white(kind, mode):
    image = transparent()
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    if mode == "P":
        image = image.convert("RGB").quantize(16)
        options |= {"transparency": 3}
    elif kind != "GIF":
        image = image.convert(mode)
    file = encode(image, kind, **options)
    opened = Image.open(io.BytesIO(file))
    np.testing.assert_allclose(load(file)[0], on_white(opened), atol=1)
    np.testing.assert_array_equal(load(opened), load(file))
    if opened.has_transparency_data:
        assert np.abs(load(file)[0] - np.asarray(opened.convert("RGB"))).max() > 50


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [("RGB", (0, 0, 90)), ("L", 10), ("1", 0), ("P", bytes([0, 10, 200, 255, 3]))],
)
def test_a_transparent_color_of_a_png_is_white(mode, transparency):
    image = gradient().convert("RGB")
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    file = encode(image, "PNG", transparency=transparency)
    opened = Image.open(io.BytesIO(file))
    assert opened.has_transparency_data
    np.testing.assert_allclose(load(file)[0], on_white(opened), atol=1)
    np.testing.assert_array_equal(load(opened), load(file))


def test_opaque_pixels_keep_their_values():
    image = transparent()
    opaque = np.asarray(image.convert("RGB"))[:12]
    array = np.asarray(image)
    for inputs in (image, encode(image, "PNG"), array, array[None], [array]):
        np.testing.assert_array_equal(load(inputs)[0, :12], opaque)
    all_opaque = np.dstack([np.asarray(gradient()), np.full((24, 32), 255, np.uint8)])
    for inputs in (all_opaque, encode(Image.fromarray(all_opaque), "PNG")):
        np.testing.assert_array_equal(load(inputs)[0], np.asarray(gradient()))


def test_what_hides_under_transparent_pixels_does_not_count():
    hidden = np.zeros((2, 24, 32, 4), np.uint8)
    hidden[1, ..., :3] = helpers.image(24, 32)
    files = [encode(Image.fromarray(image), "PNG") for image in hidden]
    assert (load(files) == 255).all()
    assert (load(hidden) == 255).all()
    assert load_images(files, 24, 32, 1).min() > 254


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_16_bits_are_scaled(mode):
    values = np.arange(768, dtype="uint16").reshape(24, 32) * 85
    image = Image.frombytes("I;16", (32, 24), values.astype("<u2").tobytes())
    if mode == "I;16B":
        image = Image.frombytes(mode, (32, 24), values.astype(">u2").tobytes())
    np.testing.assert_array_equal(load(image)[0, ..., 0], values >> 8)
    file = encode(Image.frombytes("I;16", (32, 24), values.tobytes()), "PNG")
    np.testing.assert_array_equal(load(image), load(file))
    tiff = encode(Image.frombytes("I;16", (32, 24), values.tobytes()), "TIFF")
    np.testing.assert_array_equal(load(image), load(tiff))


def test_modes_of_any_numbers_are_checked_as_arrays():
    numbers = np.arange(768).reshape(24, 32) % 256
    for mode, dtype in (("I", "int32"), ("F", "float32")):
        image = Image.fromarray(numbers.astype(dtype))
        assert image.mode == mode
        np.testing.assert_array_equal(load(image)[0, ..., 0], numbers)
        with pytest.raises(InvalidInputError, match=r"image 0: .*values 0.* to 510"):
            load(Image.fromarray((numbers * 2).astype(dtype)))
    with pytest.raises(InvalidInputError, match=r"received float32 from 0\.0 to 1\.0; multiply"):
        load(Image.fromarray((numbers / 255).astype("float32")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_files_and_images_of_pillow_are_turned_by_their_exif(kind, orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = encode(gradient(24, 12), kind, exif=tags)
    opened = Image.open(io.BytesIO(file))
    expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    for inputs in (file, opened, [opened]):
        actual = load(inputs, *expected.shape[:2])[0]
        np.testing.assert_allclose(actual, expected, atol=5 if kind == "JPEG" else 0)
    if kind != "TIFF":  # Pillow itself turns a TIFF when it is loaded
        assert opened.size == (12, 24), "the caller's image has changed"


def test_an_image_of_pillow_with_broken_exif_is_read():
    image = gradient()
    image.info["exif"] = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01"
    np.testing.assert_array_equal(load(image)[0], np.asarray(gradient()))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_values_from_0_to_1_are_refused(dtype):
    image = tf.cast(np.asarray(gradient()), tf.float32)
    scaled = tf.cast(image / 255, dtype).numpy()
    message = r"expected values 0\.\.255; received float\d+ from 0\.0 to .*; multiply by 255$"
    forms = (scaled, [scaled], scaled[None], scaled[..., :1], scaled[..., 0])
    for inputs in forms:
        with pytest.raises(InvalidInputError, match=f"image 0: {message}"):
            read_images(inputs)
        with pytest.raises(InvalidInputError, match=f"image 0: {message}"):
            to_image_files(inputs)
    with pytest.raises(InvalidInputError, match=f"image 1: {message}"):
        load([helpers.image(4, 4), scaled])
    assert (load(np.zeros_like(scaled)) == 0).all(), "black"
    assert load(tf.cast(image, dtype).numpy()).max() > 200
    assert load((scaled > 0).astype("uint8")).max() == 1, "whole numbers"


def test_the_sentence_on_values_from_0_to_1():
    with pytest.raises(
        InvalidInputError,
        match=r"^image 0: expected values 0\.\.255; received float32 from 0\.0 to 1\.0; "
        r"multiply by 255$",
    ):
        load(np.eye(8, dtype="float32"))


class Torch:
    """As a tensor of another library: an array by protocol alone."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("convert", [np.asarray, tf.constant, Torch])
def test_tensors_are_taken_as_arrays(convert):
    batch = np.stack([helpers.image(24, 32, seed) for seed in range(3)])
    expected = load(batch)
    for inputs in (convert(batch), [convert(image) for image in batch]):
        np.testing.assert_array_equal(load(inputs), expected)
    np.testing.assert_array_equal(load(convert(batch[1]))[0], expected[1])
    with pytest.raises(InvalidInputError, match="multiply by 255"):
        load([convert(batch[0] / 255)])


def test_nested_lists_of_numbers_are_one_image_or_a_batch():
    image = helpers.image(24, 32)
    gray = image[..., 0]
    for array in (image, gray, image[None], np.stack([image, image])):
        np.testing.assert_array_equal(load(array.tolist()), load(array))
    as_tuples = tuple(tuple(map(tuple, row)) for row in image.tolist())
    np.testing.assert_array_equal(load(as_tuples), load(image))
    batch = [gray.tolist(), gray.tolist()]
    np.testing.assert_array_equal(load(batch), load([gray, gray]))
    mixed = [image.tolist(), image[:7].tolist()]
    np.testing.assert_array_equal(load(mixed), load([image, image[:7]]))
    with pytest.raises(InvalidInputError, match=r"image 0: .*multiply by 255"):
        load((image / 255).tolist())


@pytest.mark.parametrize(
    "inputs",
    [pd.Series, pd.Index, np.array, tuple, iter, collections.deque, tf.constant],
)
def test_several_paths_are_several_images(inputs, tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(3)]
    for n, path in enumerate(paths):
        Image.fromarray(helpers.image(24, 32, n)).save(path)
    paths = [tf.io.read_file(path).numpy() for path in paths] if inputs is tf.constant else paths
    expected = np.stack([helpers.image(24, 32, n) for n in range(3)])
    np.testing.assert_array_equal(load(inputs(paths)), expected)
    np.testing.assert_array_equal(load(np.array(paths[1], object)), expected[1:2])


FRAME = pd.DataFrame({"path": ["a.png"], "label": ["cat"]})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "expected an image or a list of them: .*; received NoneType"),
        (5, "received int"),
        (2.5, "received float"),
        (np.float32(3), "image 0: .*received shape"),
        ({"image": "a.png"}, "received dict"),
        ({"a.png"}, "received set"),
        (FRAME, "received DataFrame; give a column of paths, or arrays"),
        (pd.DataFrame(np.ones((32, 32))), "received DataFrame; give a column"),
        ([FRAME], "image 0: expected an image; received DataFrame"),
        (tf.data.Dataset.range(3), "received .*Dataset"),
        (object(), "received object"),
        ([1, 2, 3], "image 0: .*received shape"),
        ([None], "image 0: .*dtype object"),
        ([{"a": 1}], "image 0: .*dtype object"),
        (io.StringIO("text"), r'image 0: expected a file opened in binary mode, open\(path, "rb"'),
        (b"", "image 0 is not an image that can be read: 0 bytes, in no format that Pillow knows"),
        (b"<!doctype html>", "15 bytes, in no format that Pillow knows"),
        (
            b"\0\0\0\x18ftypheic" + bytes(90),
            "102 bytes of a HEIC file: save it as JPEG, or install",
        ),
        (encode(gradient(), "EPS"), "bytes of a drawing .EPS.: save it as PNG"),
        (np.zeros((3, 32, 32)), r"shape \(3, 32, 32\); the channels are the last axis: transpose"),
        (encode(gradient(), "GIF")[:900], "900 bytes that are no whole GIF file; Pillow says: "),
        (encode(gradient(), "BMP")[:500], "500 bytes that are no whole BMP file; Pillow says: "),
        (encode(gradient(), "WEBP")[:90], "90 bytes"),
        (encode(gradient(), "TIFF")[:900], "900 bytes"),
        (encode(gradient(), "JPEG")[:300], "300 bytes that are no whole JPEG file"),
        (encode(gradient(), "PNG")[:90], "90 bytes that are no whole PNG file"),
        ("x" * 100_000, r"^x{200}\.\.\. \(100,000 characters\) can't be read: "),
    ],
)
def test_what_is_no_image_has_one_sentence(inputs, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        load(inputs)
    assert len(str(caught.value)) < 400


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match=f"{tmp_path} holds no image"):
        load(str(tmp_path))


def test_an_image_of_pillow_that_can_not_be_read_is_named():
    cut = Image.open(io.BytesIO(encode(transparent(), "PNG")[:200]))
    with pytest.raises(InvalidInputError, match="image 1: Pillow can't read the image: "):
        load([gradient(), cut])


def test_a_file_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(pillow, "MAX_PIXELS", 600)
    for kind in ("GIF", "BMP", "WEBP", "TIFF"):
        load(encode(gradient(20, 30), kind))
        with pytest.raises(InvalidInputError, match="at most 600 pixels; received 31 x 20"):
            load(encode(gradient(20, 31), kind))
