"""A user's images in training and evaluation: what `pipeline` takes, read in the same way."""

import io

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from keras_fm.data import user_images
from keras_fm.data.user_data import RawExamples
from keras_fm.errors import DataError, DataWarning
from keras_fm.preprocessing import images

SHAPE = 32, 32, 3


def fit(inputs):
    return user_images.fit_images(RawExamples(inputs, [0] * len(inputs), "some images"), SHAPE)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def odd_images():
    """Return images that only a viewer's rules show right, by name."""
    picture = Image.fromarray(helpers.image(40, 24))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "palette.bmp": encode(picture.quantize(64), "BMP"),
        "two colors.bmp": encode(picture.convert("1"), "BMP"),
        "photo.jpg": encode(picture, "JPEG", exif=turned),
        "alpha.png": encode(Image.fromarray(helpers.image(40, 24)).convert("RGBA"), "PNG"),
        "a.webp": encode(picture, "WEBP", lossless=True),
        "a WebP.jpg": encode(picture, "WEBP", exif=turned),
        "a.gif": encode(picture, "GIF"),
        "a.tiff": encode(picture, "TIFF", exif=turned),
        "a.jfif": encode(picture, "JPEG"),
    }


def test_a_folder_is_read_as_by_the_pipeline(tmp_path):
    files = odd_images()
    for name, content in files.items():
        for label in ("cat", "dog"):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / name).write_bytes(content)
    raw = user_images.read_folder(tmp_path)
    loaded, mask = user_images.fit_images(raw, SHAPE)
    assert mask.all()
    assert raw.notes == []
    assert len(loaded) == 2 * len(files)
    np.testing.assert_array_equal(loaded, images.load_images(raw.inputs, *SHAPE).round())


@pytest.mark.parametrize(
    "convert",
    [
        lambda batch: [Image.fromarray(image) for image in batch],
        lambda batch: [Image.fromarray(image).convert("RGBA") for image in batch],
        lambda batch: [tf.constant(image) for image in batch],
        lambda batch: [image.tolist() for image in batch],
        lambda batch: pd.Series(list(batch)),
        lambda batch: batch.tolist(),
        tf.constant,
        lambda batch: np.concatenate([batch, np.full((3, 32, 32, 1), 255, np.uint8)], -1),
    ],
    ids=["Pillow", "Pillow RGBA", "tensors", "lists", "Series", "nested", "tensor", "RGBA array"],
)
def test_arrays_of_any_kind(convert):
    batch = np.stack([helpers.image(32, 32, seed) for seed in range(3)])
    loaded, mask = fit(convert(batch))
    assert mask.all()
    np.testing.assert_array_equal(loaded, batch)


def test_an_array_with_alpha_is_composited_on_white():
    batch = np.zeros((2, 40, 32, 4), np.uint8)
    assert (fit(batch)[0] == 255).all()
    np.testing.assert_array_equal(fit(batch)[0], fit(list(batch))[0])


def test_values_from_0_to_1_are_refused_or_left_out():
    batch = np.stack([helpers.image(32, 32, seed) for seed in range(3)]).astype("float32")
    for inputs in (
        batch / 255,
        list(batch / 255),
        (batch / 255).tolist(),
        tf.constant(batch / 255),
    ):
        with pytest.raises(DataError, match=r"expected values 0\.\.255; received float"):
            fit(inputs)
    with pytest.warns(DataWarning, match="1 of 3 images can't be read.*image 2: .*multiply by 255"):
        _, mask = fit([batch[0], batch[1], batch[2] / 255])
    assert mask.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            pd.DataFrame(np.ones((3, 4))),
            "some images: expected .*received DataFrame; give a column",
        ),
        ("abc", "some images: expected images; received str"),
        ({1, 2, 3}, "some images: expected .*received set"),
        ([None, 1, {}], "no image can be read: image 0"),
    ],
)
def test_what_is_no_image_has_one_sentence(inputs, message):
    with pytest.raises(DataError, match=message):
        fit(inputs)
