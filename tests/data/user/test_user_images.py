"""A user's images in training and evaluation: what `pipeline` takes, read in the same way."""

import helpers
import numpy as np
import odd_images
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from keras_fm.data.user.images import fit_images, read_user_images
from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning
from keras_fm.preprocessing.images.folders import IMAGE_SUFFIXES
from keras_fm.preprocessing.images.loading import load_images

SHAPE = 32, 32, 3


def fit(inputs):
    return fit_images(RawExamples(inputs, [0] * len(inputs), "some images"), SHAPE)


def test_a_folder_is_read_as_by_the_pipeline(tmp_path):
    cases = odd_images.served_files() | odd_images.other_images()
    files = {name: image for name, (image, _) in cases.items() if isinstance(image, bytes)}
    suffixes = sorted(IMAGE_SUFFIXES)
    for label in ("cat", "dog"):
        for number, (name, content) in enumerate(files.items()):
            file = tmp_path / label / f"{name}{suffixes[number % len(suffixes)]}"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
    raw = read_user_images(UserData(tmp_path))
    loaded, mask = fit_images(raw, SHAPE)
    assert mask.all()
    assert raw.notes == []
    assert len(loaded) == 2 * len(files)
    np.testing.assert_array_equal(loaded, load_images(raw.inputs, *SHAPE).round())
    shown = load_images([cases[file.stem][1] for file in raw.inputs], *SHAPE)
    np.testing.assert_allclose(loaded, shown, atol=8)  # another decoder of JPEG


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
