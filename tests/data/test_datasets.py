import socket
import sys
import types

import helpers
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_fm.data import datasets
from keras_fm.errors import DataError, UnknownNameError


class UnpreparedBuilder:
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


def test_sample_is_the_name_of_a_split():
    assert datasets.load("cifar10", "sample") is datasets.sample("cifar10")
    assert datasets.sample("cifar10").description == "bundled sample of 256 cifar10 test examples"


def test_an_unknown_sample_suggests_another():
    with pytest.raises(UnknownNameError, match=r"no bundled sample of 'cifar100'.*'cifar10'"):
        datasets.sample("cifar100")


def test_an_unknown_dataset_is_named():
    with pytest.raises(UnknownNameError, match="no data set 'cifar_ten'"):
        datasets.load("cifar_ten", "test")


def test_data_that_can_not_be_downloaded_is_an_error(monkeypatch):
    datasets._load_tfds.cache_clear()  # another test may have read it
    monkeypatch.setattr(datasets, "builder", lambda dataset: UnpreparedBuilder())
    assert not datasets.is_prepared("cifar10")
    with pytest.raises(
        DataError, match=r"'cifar10' is not in /nowhere.*ConnectionError.*TFDS_DATA_DIR.*'sample'"
    ):
        datasets.load("cifar10", "train")


def test_no_download_is_tried_offline(monkeypatch):
    datasets._load_tfds.cache_clear()
    builder = UnpreparedBuilder()
    builder.download_and_prepare = lambda: 1 / 0
    monkeypatch.setattr(datasets, "builder", lambda dataset: builder)
    monkeypatch.setattr(datasets, "is_offline", lambda: True)
    with pytest.raises(DataError, match="KERAS_FM_OFFLINE forbids to download it"):
        datasets.load("cifar10", "train")


def test_no_download_is_tried_without_a_network(monkeypatch):
    datasets._load_tfds.cache_clear()  # another test may have read it

    def unknown_host(*arguments):
        raise socket.gaierror("name or service not known")

    builder = UnpreparedBuilder()
    builder.url_infos = {"https://nowhere.invalid/data.tar.gz": None}
    monkeypatch.setattr(datasets, "builder", lambda dataset: builder)
    monkeypatch.setattr(datasets, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown_host)
    with pytest.raises(DataError, match="gaierror"):
        datasets.load("cifar10", "train")


@pytest.mark.thorough
def test_a_missing_data_set_is_found_out_without_network(tmp_path):
    code = (
        "import socket; socket.socket.connect = None\n"
        "from keras_fm.data import datasets\n"
        "datasets._check_network = lambda builder: 1 / 0\n"
        "assert not datasets.is_prepared('cifar10')\n"
        "try: datasets.load('cifar10', 'test')\n"
        "except datasets.DataError as error: print(error)\n"
    )
    process = helpers.python(code, TFDS_DATA_DIR=str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert str(tmp_path) in process.stdout
    assert "ZeroDivisionError" in process.stdout
    assert not any(tmp_path.rglob("*.*"))


@pytest.fixture
def local_builder(monkeypatch):
    """Replaces the TFDS builders by one of features and data: pairs in a batch, or records."""

    def replace(features, data, supervised_keys=None):
        def as_dataset(split, **options):
            if supervised_keys is not None:
                return data
            specs = {name: tf.TensorSpec((), x.tf_dtype) for name, x in features.items()}
            return tf.data.Dataset.from_generator(lambda: data, output_signature=specs)

        info = types.SimpleNamespace(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=supervised_keys,
            splits={"train": types.SimpleNamespace(num_examples=3)},
        )
        builder = types.SimpleNamespace(info=info, is_prepared=lambda: True, as_dataset=as_dataset)
        monkeypatch.setattr(datasets, "builder", lambda name: builder)
        datasets._load_tfds.cache_clear()

    yield replace
    datasets._load_tfds.cache_clear()


def test_texts_of_a_data_set_are_joined(local_builder):
    local_builder({"text": tfds.features.Text()}, [{"text": "ab"}, {"text": "ñ"}])
    joined = datasets.load("books", "train")
    assert [chr(code) for code in joined.targets] == ["b", "ñ"]
    assert joined.description == "books train"


def test_categories_of_a_table_are_named(local_builder):
    columns = {
        "color": tfds.features.ClassLabel(names=["D", "E"]),
        "size": tfds.features.Scalar(np.float32),
    }
    features = {"features": columns, "price": tfds.features.Scalar(np.int64)}
    batch = {"color": tf.constant([1, 0, 1]), "size": tf.constant([0.5, 1, 2])}, tf.range(3)
    local_builder(features, batch, ("features", "price"))
    examples = datasets.load("stones", "train")
    assert examples.inputs["color"].tolist() == ["E", "D", "E"]
    assert examples.inputs["size"].tolist() == [0.5, 1, 2]
    assert examples.targets.tolist() == [0, 1, 2]


def test_a_data_set_without_pairs_or_texts_is_named(local_builder):
    features = {"title": tfds.features.Text(), "id": tfds.features.Scalar(np.int64)}
    local_builder(features, [{"title": "x", "id": 1}])
    with pytest.raises(
        DataError, match=r"'books' has neither pairs .* nor a feature 'text' .*features: title, id"
    ):
        datasets.load("books", "train")


@pytest.mark.full_data
def test_cifar10_is_complete():
    test = datasets.load("cifar10", "test")
    assert test.inputs.shape == (10_000, 32, 32, 3)
    assert np.bincount(test.targets).tolist() == [1000] * 10
    assert len(datasets.load("cifar10", "train")) == 50_000


@pytest.mark.full_data
def test_the_sample_is_part_of_the_test_split():
    test = datasets.load("cifar10", "test")
    path = helpers.ROOT / "keras_fm" / "samples" / "cifar10.npz"
    with np.load(path, allow_pickle=False) as arrays:
        index = arrays["test_index"]
    sample = datasets.sample("cifar10")
    np.testing.assert_array_equal(test.inputs[index], sample.inputs)
    np.testing.assert_array_equal(test.targets[index], sample.targets)


@pytest.mark.full_data
@pytest.mark.parametrize("split", ["tset", "test[:5", "test+tset"])
def test_an_unknown_split_suggests_another(split):
    with pytest.raises(UnknownNameError, match=r"'cifar10' has no split .*Did you mean .*'test'"):
        datasets.load("cifar10", split)


@pytest.mark.full_data
def test_an_empty_split_is_named():
    with pytest.raises(DataError, match=r"'test\[:0\]' of 'cifar10' has no example"):
        datasets.load("cifar10", "test[:0]")


def test_a_name_of_no_data_set_is_known_without_tfds(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    names = tfds.list_builders(with_community_datasets=False)[::25]
    unknown = ["photos", "my_photos", "tfds:reviews", "photos/cats"]
    assert not any(map(datasets.is_surely_unknown, [*names, *unknown])), "TFDS is imported"
    monkeypatch.delitem(sys.modules, "tensorflow_datasets")
    assert [name for name in names if datasets.is_surely_unknown(name)] == []
    assert [name for name in unknown if datasets.is_surely_unknown(name)] == unknown
    (tmp_path / "photos").mkdir()
    assert not datasets.is_surely_unknown("photos"), "data that another class built"
    assert not datasets.is_surely_unknown("huggingface:photos")
