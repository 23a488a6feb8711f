"""Users' data as a `tf.data.Dataset`, or by the name of a TFDS data set."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from user_data import CLASS_NAMES, load, noise

from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError


def test_a_dataset_of_keras_keeps_its_class_names(photos):
    dataset = keras.utils.image_dataset_from_directory(photos, image_size=(32, 32), verbose=False)
    spec, examples, _ = load("cifar_cnn_basic", dataset)
    assert (spec.labels, len(examples)) == (CLASS_NAMES, 12)


def test_batches_of_gray_images_without_a_channel_are_read():
    pairs = noise(6, 28, 28), np.arange(6) % 3
    dataset = tf.data.Dataset.from_tensor_slices(pairs).batch(4)
    _, examples, _ = load("fashion_cnn", dataset)
    assert examples.inputs.shape == (6, 28, 28, 1)


@pytest.mark.parametrize("form", ["plain", "batched", "one-hot", "mixed-sizes"])
def test_tf_data_is_read(form):
    pixels, targets = noise(6, 32, 32, 3), np.array([0, 1, 2, 0, 1, 2])
    labels = np.eye(3, dtype="float32")[targets] if form == "one-hot" else targets
    dataset = tf.data.Dataset.from_tensor_slices((pixels, labels))
    if form in ("batched", "one-hot"):
        dataset = dataset.batch(4)
    if form == "mixed-sizes":
        signature = (tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((), tf.int64))
        pairs = [(image[: 10 + n], n % 3) for n, image in enumerate(pixels)]
        dataset = tf.data.Dataset.from_generator(lambda: pairs, output_signature=signature)
    spec, examples, _ = load("cifar_cnn_basic", dataset)
    assert spec.labels == ("0", "1", "2")
    assert examples.inputs.shape == (6, 32, 32, 3)
    if form != "mixed-sizes":
        order = [int(np.flatnonzero((pixels == x).all((1, 2, 3)))[0]) for x in examples.inputs]
        np.testing.assert_array_equal(targets[order], examples.targets)


def test_unsuitable_tf_data_is_named():
    plain = tf.data.Dataset.from_tensor_slices(noise(6, 32, 32, 3))
    with pytest.raises(DataError, match=r"expected elements \(input, target\)"):
        load("cifar_cnn_basic", plain)
    with pytest.raises(DataError, match=r"of a dict take two: \.map"):
        load("cifar_cnn_basic", plain.map(lambda image: {"image": image, "label": 0}))
    pairs = tf.data.Dataset.zip(plain, tf.data.Dataset.range(6))
    with pytest.raises(DataError, match="of 0 examples"):
        load("cifar_cnn_basic", pairs.take(0))
    pairs = pairs.repeat()
    with pytest.raises(DataError, match=r"leave out \.repeat"):
        load("cifar_cnn_basic", pairs)


def test_a_tfds_name_is_read():
    for name in ("tfds:fashion_mnist", "fashion_mnist"):
        spec, examples, _ = load("cifar_cnn_basic", name, split="sample")
        assert spec.labels[0] == "T-shirt/top"
        assert examples.inputs.shape == (len(datasets.sample("fashion_mnist")), 32, 32, 3)
    spec, examples, _ = load("lstm", "imdb_reviews", split="sample")
    assert spec.labels == ("neg", "pos")
    assert set(examples.inputs) == set(datasets.sample("imdb_reviews").inputs)
    spec, examples, _ = load("linear_regression", "diamonds", split="sample", target="price")
    assert spec.task_name == "tabular-regression"
    assert "carat" in examples.inputs


def test_an_unavailable_tfds_name_is_named(tmp_path, monkeypatch):
    for name in ("fotos", "my fotos", "tfds:"):
        with pytest.raises(DataError, match=r"^TensorFlow .*, and there is no file or folder"):
            load("cifar_cnn_basic", name)
    with pytest.raises(DataError, match="expected a file, a folder or a data set's name"):
        load("cifar_cnn_basic", "")
    monkeypatch.setattr(datasets, "builder", lambda name: tfds.builder(name, data_dir=tmp_path))
    monkeypatch.setattr(datasets, "_check_network", lambda builder: 1 / 0)
    with pytest.raises(DataError, match=r"'fashion_mnist' is not in .*ZeroDivisionError"):
        load("cifar_cnn_basic", "tfds:fashion_mnist", split="train[:7]")


def test_a_tfds_name_of_unlabeled_data_is_named():
    with pytest.raises(DataError, match=r"'tiny_shakespeare' .* has no pairs of an input and a"):
        load("cifar_cnn_basic", "tiny_shakespeare")


def test_targets_of_a_dict_in_a_dataset_are_named():
    dataset = tf.data.Dataset.from_tensor_slices((noise(4, 32, 32, 3), {"label": [0, 1, 0, 1]}))
    with pytest.raises(DataError, match="received dict"):
        load("cifar_cnn_basic", dataset)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("imdb_reviews/plain_text", None),
        ("imdb_reviews/plain_text:1.0.0", None),
        ("cifar10:3.0.2", None),
        ("cifar10:3.*.*", None),
        ("tfds:my/photos", None),
        ("photos", None),
        ("my/photos", "my/photos"),
        ("cifar10/", "cifar10"),
        ("x.csv", "x.csv"),
        ("a:b", "a:b"),
        ("~/photos", "HOME/photos"),
    ],
)
def test_names_of_tfds_have_configurations_and_versions(data, path, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    assert UserData(data).path == (None if path is None else Path(path))


def test_a_file_with_the_name_of_a_dataset_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imdb_reviews").mkdir()
    (tmp_path / "imdb_reviews" / "plain_text").touch()
    assert UserData("imdb_reviews/plain_text").path == Path("imdb_reviews/plain_text")
    assert UserData("tfds:imdb_reviews/plain_text").path is None


@pytest.mark.parametrize("name", ["cifar10:9.9.9", "imdb_reviews/gone", "cifarr10"])
def test_a_version_or_configuration_that_tfds_lacks_is_one_sentence(name):
    with pytest.raises(DataError, match=f"TensorFlow Datasets has no .*received '{name}'"):
        load("cifar_cnn_basic", name)
