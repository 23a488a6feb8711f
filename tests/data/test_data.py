import socket

import helpers
import numpy as np
import pytest

from keras_fm.data import datasets, examples
from keras_fm.errors import DataError, UnknownNameError


class Unprepared:
    """A TFDS builder on a machine without data and without network."""

    data_dir = "/nowhere/cifar10/3.0.2"
    url_infos = {}

    def is_prepared(self):
        return False

    def download_and_prepare(self):
        raise ConnectionError("no route to host")


def test_the_sample_is_balanced():
    sample = datasets.sample("cifar10")
    assert (len(sample), sample.inputs.shape) == (256, (256, 32, 32, 3))
    assert (sample.inputs.dtype, sample.targets.dtype) == (np.uint8, np.int64)
    counts = np.bincount(sample.targets, minlength=10)
    assert len(counts) == 10
    assert counts.max() - counts.min() <= 1
    assert len({image.tobytes() for image in sample.inputs}) == 256


def test_the_sample_is_a_split():
    assert datasets.load("cifar10", "sample") is datasets.sample("cifar10")
    assert datasets.sample("cifar10").description == "bundled sample of 256 cifar10 test examples"


def test_an_unknown_sample_names_its_neighbour():
    with pytest.raises(UnknownNameError, match=r"no bundled sample of 'cifar100'.*'cifar10'"):
        datasets.sample("cifar100")


def test_validation_is_cut_from_the_end():
    whole = helpers.noise(10)
    train, validation = examples.split_validation(whole, 3)
    np.testing.assert_array_equal(train.inputs, whole.inputs[:7])
    np.testing.assert_array_equal(validation.targets, whole.targets[7:])
    assert train.description == "10 images of noise, first 7"
    assert validation.description == "10 images of noise, last 3"


def test_no_validation_leaves_everything():
    whole = helpers.noise(10)
    assert examples.split_validation(whole, 0) == (whole, None)


@pytest.mark.parametrize("count", [10, 11])
def test_validation_leaves_some_to_train_on(count):
    with pytest.raises(DataError, match=f"is {count}, but 10 images of noise has only 10"):
        examples.split_validation(helpers.noise(10), count)


def test_some_examples_can_be_taken():
    whole = helpers.noise(10)
    some = whole.subset(np.array([7, 2]), "two of them")
    np.testing.assert_array_equal(some.inputs, whole.inputs[[7, 2]])
    assert (some.targets.tolist(), some.description, len(some)) == ([1, 2], "two of them", 2)


def test_an_unknown_data_set_is_named():
    with pytest.raises(UnknownNameError, match="no data set 'cifar_ten'"):
        datasets.load("cifar_ten", "test")


def test_data_that_is_not_here_and_not_to_be_had_is_an_error(monkeypatch):
    datasets._load_tfds.cache_clear()  # another test may have read it
    monkeypatch.setattr(datasets, "builder", lambda dataset: Unprepared())
    assert not datasets.is_prepared("cifar10")
    with pytest.raises(
        DataError, match=r"'cifar10' is not in /nowhere.*ConnectionError.*TFDS_DATA_DIR.*'sample'"
    ):
        datasets.load("cifar10", "train")


def test_no_download_is_tried_without_a_network(monkeypatch):
    datasets._load_tfds.cache_clear()  # another test may have read it

    def unknown_host(*arguments):
        raise socket.gaierror("name or service not known")

    builder = Unprepared()
    builder.url_infos = {"https://nowhere.invalid/data.tar.gz": None}
    monkeypatch.setattr(datasets, "builder", lambda dataset: builder)
    monkeypatch.setattr(datasets, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown_host)
    with pytest.raises(DataError, match="gaierror"):
        datasets.load("cifar10", "train")


def test_an_empty_data_folder_is_asked_without_network(tmp_path):
    code = (
        "import socket; socket.socket.connect = None\n"
        "from keras_fm import data\n"
        "data._check_network = lambda builder: 1 / 0\n"
        "assert not data.is_prepared('cifar10')\n"
        "try: data.load('cifar10', 'test')\n"
        "except data.DataError as error: print(error)\n"
    )
    done = helpers.python(code, TFDS_DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout
    assert "ZeroDivisionError" in done.stdout
    assert not any(tmp_path.rglob("*.*"))


@pytest.mark.full_data
def test_cifar10_is_whole():
    test = datasets.load("cifar10", "test")
    assert test.inputs.shape == (10_000, 32, 32, 3)
    assert np.bincount(test.targets).tolist() == [1000] * 10
    assert len(datasets.load("cifar10", "train")) == 50_000


@pytest.mark.full_data
def test_the_sample_lies_in_the_test_split():
    test = datasets.load("cifar10", "test")
    path = helpers.ROOT / "keras_fm" / "samples" / "cifar10.npz"
    with np.load(path, allow_pickle=False) as arrays:
        index = arrays["test_index"]
    sample = datasets.sample("cifar10")
    np.testing.assert_array_equal(test.inputs[index], sample.inputs)
    np.testing.assert_array_equal(test.targets[index], sample.targets)


@pytest.mark.full_data
@pytest.mark.parametrize("split", ["tset", "test[:5", "test+tset"])
def test_an_unknown_split_names_its_neighbour(split):
    with pytest.raises(UnknownNameError, match=r"'cifar10' has no split .*Did you mean .*'test'"):
        datasets.load("cifar10", split)


@pytest.mark.full_data
def test_an_empty_split_is_named():
    with pytest.raises(DataError, match=r"'test\[:0\]' of 'cifar10' has no example"):
        datasets.load("cifar10", "test[:0]")
