"""Corruptions of images and texts."""

import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.evaluation.corruptions import images as images_module
from keras_fm.evaluation.corruptions.corruption import corrupt
from keras_fm.evaluation.corruptions.images import corrupt_images
from keras_fm.evaluation.corruptions.names import CORRUPTIONS
from keras_fm.evaluation.corruptions.texts import corrupt_texts
from keras_fm.models import loading

IMAGES, TEXTS = CORRUPTIONS["images"], CORRUPTIONS["texts"]


@pytest.fixture(scope="module")
def photos():
    return datasets.sample("cifar10").inputs[:20]


@pytest.fixture(scope="module")
def reviews():
    return datasets.sample("imdb_reviews").inputs[:20]


@pytest.mark.parametrize(
    ("channels", "size"), helpers.first([(3, 32), (1, 32), (3, 80), (1, 80)], 1)
)
@pytest.mark.parametrize("corruption", IMAGES)
def test_images_differ_the_more_the_higher_the_severity(corruption, channels, size, photos):
    images = photos[..., :channels].repeat(3, axis=1).repeat(3, axis=2)[:, :size, :size]
    errors = []
    for severity in range(1, 6):
        corrupted = corrupt_images(images, corruption, severity)
        assert (corrupted.shape, corrupted.dtype) == (images.shape, images.dtype)
        np.testing.assert_array_equal(corrupted, corrupt_images(images, corruption, severity))
        errors.append(np.abs(corrupted.astype(int) - images).mean())
    assert errors[0] > 0
    assert errors[-1] > 1.3 * errors[0]


# As the authors' `make_cifar_c.py` and `make_imagenet_c.py` say, severities 1 to 5.
PUBLISHED = {
    "gaussian_noise": ([0.04, 0.06, 0.08, 0.09, 0.10], [0.08, 0.12, 0.18, 0.26, 0.38]),
    "shot_noise": ([500, 250, 100, 75, 50], [60, 25, 12, 5, 3]),
    "impulse_noise": ([0.01, 0.02, 0.03, 0.05, 0.07], [0.03, 0.06, 0.09, 0.17, 0.27]),
    "gaussian_blur": ([0.4, 0.6, 0.7, 0.8, 1], [1, 2, 3, 4, 6]),
    "brightness": ([0.05, 0.1, 0.15, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5]),
    "contrast": ([0.75, 0.5, 0.4, 0.3, 0.15], [0.4, 0.3, 0.2, 0.1, 0.05]),
    "jpeg_compression": ([80, 65, 58, 50, 40], [25, 18, 15, 10, 7]),
    "pixelate": ([0.95, 0.9, 0.85, 0.75, 0.65], [0.6, 0.5, 0.4, 0.3, 0.25]),
}


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("corruption", IMAGES)
def test_the_parameters_are_the_published_ones(corruption, is_large, monkeypatch):
    used = []
    record = lambda x, parameter, random: used.append(parameter) or x  # noqa: E731
    monkeypatch.setitem(images_module._FUNCTIONS, corruption, record)
    side = 65 if is_large else 64
    for severity in range(1, 6):
        corrupt_images(np.zeros((1, side, 8, 3), np.uint8), corruption, severity)
    assert used == PUBLISHED[corruption][is_large]


def test_noise_has_the_deviation_of_the_paper():
    gray = np.full((4, 32, 32, 3), 128, np.uint8)
    for severity, scale in enumerate((0.04, 0.06, 0.08, 0.09, 0.10), start=1):
        noise = corrupt_images(gray, "gaussian_noise", severity).astype(float) / 255
        assert noise.std() == pytest.approx(scale, rel=0.05)
    impulse = corrupt_images(gray, "impulse_noise", 5)
    assert np.isin(impulse, [0, 255]).mean() == pytest.approx(0.07, abs=0.01)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [((100, 50, 0), (176, 88, 0)), ((0, 0, 0), (76, 76, 76)), ((250, 250, 250), (255, 255, 255))],
)
def test_brightness_leaves_the_hue(pixel, expected):
    image = np.full((1, 4, 4, 3), pixel, np.uint8)
    brighter = corrupt_images(image, "brightness", 5)[0, 0, 0]
    np.testing.assert_allclose(brighter, expected, atol=1)


def test_noise_of_one_image_is_not_that_of_the_next():
    gray = np.full((2, 32, 32, 3), 128, np.uint8)
    first, second = corrupt_images(gray, "gaussian_noise", 3)
    assert (first != second).any()


@pytest.mark.parametrize("corruption", TEXTS)
def test_texts_differ_the_more_the_higher_the_severity(corruption, reviews):
    counts = []
    for severity in range(1, 6):
        corrupted = corrupt_texts(reviews, corruption, severity)
        assert corrupted.tolist() == corrupt_texts(reviews, corruption, severity).tolist()
        words = [set(text.split()) for text in reviews.tolist()]
        pairs = zip(corrupted.tolist(), words, strict=True)
        counts.append(sum(word not in known for text, known in pairs for word in text.split()))
        if corruption == "negation":
            counts[-1] = corrupted[0].count(b"is not true")
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_texts_are_corrupted_as_said():
    texts = np.array(["Grün ist es", b"so \xff", ""], object)
    capitals = [text.decode() for text in corrupt_texts(texts, "case", 5)]
    assert capitals == ["GRÜN IST ES", "SO \ufffd", ""]
    assert corrupt_texts(texts, "negation", 2)[2] == b" and false is not true" * 2
    assert len(corrupt_texts(texts, "typos", 5)) == 3


@pytest.mark.parametrize(
    ("name", "corruption"),
    [("cifar_cnn_basic", "contrast"), pytest.param("lstm", "typos", marks=pytest.mark.thorough)],
)
def test_a_classifier_is_evaluated_on_corrupted_inputs(name, corruption):
    dataset = {"cifar_cnn_basic": "cifar10", "lstm": "imdb_reviews"}[name]
    sample = datasets.sample(dataset).subset(slice(80), "80 examples")
    metrics = keras_fm.evaluate(name, data=sample, corruption=corruption, slice_by="label")
    assert metrics["data"] == f"80 examples, {corruption} of severity 3"
    expected = keras_fm.evaluate(name, data=corrupt(sample, corruption, 3))
    assert metrics["accuracy"] == expected["accuracy"]
    clean = keras_fm.evaluate(name, data=sample)
    assert metrics["cross_entropy"] > clean["cross_entropy"]


@pytest.mark.parametrize(
    ("name", "corruption", "severity", "error", "message"),
    [
        ("cifar_cnn", "gausian_noise", None, UnknownNameError, "Did you mean 'gaussian_noise'"),
        ("cifar_cnn", "typos", None, UnknownNameError, "no corruption 'typos'"),
        ("lstm", "contrast", None, UnknownNameError, "no corruption 'contrast'"),
        ("mlp", "contrast", None, InvalidInputError, "received 'contrast' for mlp"),
        ("gan", "contrast", None, InvalidInputError, "received 'contrast' for gan"),
        ("mini_bert.mlm", "typos", None, InvalidInputError, "corruptions are of images and texts"),
        ("cifar_cnn", "contrast", 6, InvalidInputError, "severity is a whole number from 1 to 5"),
        ("cifar_cnn", "contrast", 0, InvalidInputError, "received 0"),
        ("cifar_cnn", None, 3, InvalidInputError, "severity is that of a corruption"),
    ],
)
def test_what_can_not_be_corrupted_is_said(
    name, corruption, severity, error, message, monkeypatch, capsys
):
    with pytest.raises(error, match=message):
        keras_fm.evaluate(name, corruption=corruption, severity=severity)
    words = [] if corruption is None else ["--corruption", corruption]
    words += [] if severity is None else ["--severity", str(severity)]
    monkeypatch.setattr(
        "keras_fm.cli.app._import_keras", lambda **_: pytest.fail("Keras is imported")
    )
    assert cli.main(["evaluate", name, *words]) == 2
    assert capsys.readouterr().err


def test_a_model_is_checked_as_its_name_is():
    model = loading.get("mlp", weights=None)
    with pytest.raises(InvalidInputError, match="received 'contrast' for mlp"):
        keras_fm.evaluate(model, corruption="contrast")
    examples = Examples(np.zeros((2, 8, 8, 4), np.uint8), np.zeros(2, int), "RGBA")
    with pytest.raises(InvalidInputError, match="expected images of 1 or 3 channels"):
        corrupt(examples, "contrast", 3)
