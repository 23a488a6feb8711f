"""Data of a user's own: arrays, tf.data, folders, CSV files, TFDS; and what can be wrong."""

import helpers
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, DataWarning
from keras_fm.models import spec
from keras_fm.preprocessing import images

LABELS = ("cat", "dog", "owl")


def task_of(name):
    return task_of(spec.default_spec(registry.find(name)[0]))


def learn(name, given, seed=0, **options):
    return task_of(name).data.load_user_data(UserData(given, **options), seed)


@pytest.fixture
def photos(tmp_path):
    """Four images a class: JPEG, PNG, grey, with alpha; large, small and not square."""
    folder = tmp_path / "photos"
    for number, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for seed, (kind, mode, rows, columns) in enumerate(
            [("JPEG", None, 40, 50), ("PNG", None, 32, 32), ("PNG", "L", 20, 90),
             ("PNG", "RGBA", 64, 33)]
        ):  # fmt: skip
            picture = helpers.encode(helpers.image(rows, columns, seed + 10 * number), kind, mode)
            (folder / label / f"{seed}.{'jpg' if kind == 'JPEG' else 'png'}").write_bytes(picture)
    return folder


@pytest.mark.parametrize("model", ["cifar_cnn_basic", "fashion_cnn"])
def test_a_folder_of_images_fits_as_the_pipeline_makes_it(photos, model):
    identity, examples, notes = learn(model, photos)
    assert identity.labels == LABELS
    shape = tuple(identity.inputs[0].sizes)
    assert (examples.inputs.shape, examples.inputs.dtype) == ((12, *shape), np.uint8)
    assert np.bincount(examples.targets).tolist() == [4, 4, 4]
    assert "12 images of 3 classes" in examples.description
    assert notes == ["3 classes: cat 4, dog 4, owl 4"]
    expected = images.load_images([photos / "owl" / "0.jpg"], *shape)[0].round()
    found = [(image == expected).all() for image in examples.inputs]
    assert [examples.targets[place] for place in np.flatnonzero(found)] == [2]


def test_the_seed_gives_the_order(photos):
    one, other, third = (learn("cifar_cnn_basic", photos, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.inputs, other.inputs)
    assert not np.array_equal(one.targets, third.targets)
    assert (np.diff(one.targets) < 0).any(), "sorted by class, as the folder is"


def test_a_class_that_can_not_be_read_is_told(photos):
    for file in (photos / "owl").iterdir():
        file.write_bytes(b"no image")
    with pytest.warns(DataWarning):
        identity, _, notes = learn("cifar_cnn_basic", photos)
    assert any("1 class without any example that can be read, such as 'owl'" in x for x in notes)
    assert identity.labels == LABELS[:2]


def test_what_is_no_image_is_counted_and_left_out(photos):
    (photos / "dog" / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "cat" / "cut.jpg").write_bytes((photos / "cat" / "0.jpg").read_bytes()[:200])
    (photos / "cat" / "text.png").write_text("no image")
    (photos / "dog" / "notes.txt").write_text("a dog")
    (photos / "empty").mkdir()
    (photos / ".cache").mkdir()
    with pytest.warns(DataWarning) as caught:
        identity, examples, notes = learn("cifar_cnn_basic", photos)
    assert (identity.labels, len(examples)) == (LABELS, 12)
    told = "\n".join(str(one.message) for one in caught)
    assert "3 of 15 images can't be read" in told
    assert "1 of 6 files in" in told
    assert "empty holds no images" in told
    assert set(told.split("\n")) <= set(notes)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda folder: folder.rename(folder.parent / "moved"), "is not there; expected a folder"),
        (lambda folder: [(folder / label).rename(folder / f".{label}") for label in LABELS[1:]],
         "4 images of 1 class"),
        (lambda folder: [(folder / label).rename(folder / f".{label}") for label in LABELS],
         "0 images of 0 classes"),
        (lambda folder: [file.write_text("x") for file in folder.glob("*/*")], "no image can be"),
        (lambda folder: [(folder / a).rename(folder / b) for a, b in
                         [("cat", "train"), ("dog", "val"), ("owl", "test")]],
         r"holds splits, not classes.*data='.*train', validation_data='.*val'"),
    ],
    ids=["gone", "one-class", "no-class", "no-image", "splits"],
)  # fmt: skip
def test_a_folder_that_does_not_do_is_named(photos, change, complaint):
    change(photos)
    with pytest.raises(DataError, match=complaint):
        learn("cifar_cnn_basic", photos)


def noise(*shape, dtype="uint8"):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize(
    "inputs",
    [
        noise(6, 32, 32, 3),
        noise(6, 28, 28, 1),
        noise(6, 28, 28, dtype="float64"),
        noise(6, 40, 20, 3, dtype="float32"),
        [noise(10 + n, 20, 3) for n in range(6)],
    ],
    ids=["fits", "grey", "no-channel", "other-size", "many-sizes"],
)
def test_arrays_of_any_size_fit(inputs):
    identity, examples, _ = learn("cifar_cnn_basic", (inputs, [7, 3, 7, 3, 10, 10]))
    assert identity.labels == ("3", "7", "10")
    assert (examples.inputs.shape, examples.inputs.dtype) == ((6, 32, 32, 3), np.uint8)
    kept = np.flatnonzero(examples.targets == 2)
    expected = images.load_images([inputs[4], inputs[5]], 32, 32, 3).round()
    assert {x.tobytes() for x in examples.inputs[kept]} == {
        x.astype("uint8").tobytes() for x in expected
    }


@pytest.mark.parametrize(
    ("targets", "labels"),
    [
        (["b", "a", "b", "a"], ("a", "b")),
        (np.array([b"b", b"a", b"b", b"a"]), ("a", "b")),
        ([1.0, 0.0, 1.0, 0.0], ("0", "1")),
        ([0.5, 2.0, 0.5, 2.0], ("0.5", "2")),
        ([True, False, True, False], ("False", "True")),
        (np.eye(3)[[2, 0, 2, 0]], ("0", "2")),
        (pd.Series(["10", "9", "10", "9"]), ("10", "9")),
        (np.array([[1], [0], [1], [0]]), ("0", "1")),
        (pd.to_datetime(["2026-05-01", "2026-04-01"] * 2).date, ("2026-04-01", "2026-05-01")),
    ],
    ids=["str", "bytes", "whole", "halves", "bool", "one-hot", "pandas", "column", "dates"],
)
def test_classes_come_from_the_data(targets, labels):
    identity, examples, _ = learn("cifar_cnn_basic", (noise(4, 32, 32, 3), targets))
    assert identity.labels == labels
    assert np.bincount(examples.targets).tolist() == [2, 2]


def test_the_same_classes_keep_the_models_order():
    known = task_of("cifar_cnn_basic").identity.labels
    names = sorted(known, reverse=True)
    identity, examples, _ = learn("cifar_cnn_basic", (noise(20, 32, 32, 3), names * 2))
    assert identity.labels == known
    assert np.bincount(examples.targets).tolist() == [2] * 10


def test_named_numbers():
    given = (noise(4, 32, 32, 3), [0, 1, 0, 1])
    with pytest.warns(DataWarning, match="1 of 3 classes have fewer than 2 examples.*'fox'"):
        identity, _, notes = learn("cifar_cnn_basic", given, class_names=["dog", "cat", "fox"])
    assert identity.labels == ("dog", "cat", "fox")
    assert "3 classes: dog 2, cat 2, fox 0" in notes
    with pytest.raises(DataError, match="from 0 to 1; received 0 to 2"):
        learn("cifar_cnn_basic", (noise(3, 32, 32, 3), [0, 1, 2]), class_names=["a", "b"])
    with pytest.raises(DataError, match=r"1 of 3 examples have a class.*'cats'.*mean 'cat'"):
        learn("cifar_cnn_basic", (noise(3, 32, 32, 3), ["cat", "dog", "cats"]),
              class_names=["cat", "dog"])  # fmt: skip


def test_imbalance_is_told():
    targets = ["cat"] * 7 + ["dog"] * 2
    _, _, notes = learn("cifar_cnn_basic", (noise(9, 32, 32, 3), targets))
    assert any("7 of 'cat', 2 of 'dog'; class_weight='balanced'" in note for note in notes)


@pytest.mark.parametrize(
    ("inputs", "targets", "complaint"),
    [
        (noise(4, 32, 32, 3), ["a"] * 4, "every example has the class 'a'; two are needed"),
        (noise(1, 32, 32, 3), ["a"], "few examples: 1"),
        (noise(0, 32, 32, 3), [], "few examples: 0"),
        (noise(4, 32, 32, 3), ["a", "b", "a"], "as many inputs as targets; received 3 and 4"),
        (noise(4, 32, 32, 3), [None, "", float("nan"), None], "no example has a label"),
        (noise(4, 32, 32, 2), "abab", "32, 32, 2"),
        (noise(4, 5), "abab", r"received uint8 \[4, 5\]"),
        (noise(4, 32, 32, 3) / 255, "abab", "expected values 0..255; received float64.* 0.0 to"),
        ([*(noise(4, 32, 32, 3) / 255)], "abab", "expected values 0..255; received float64 of at"),
        (noise(4, 32, 32, 3) > 9, "abab", "expected values 0..255; received bool"),
        (noise(4, 32, 32, 3).astype(int) - 9, "abab", "expected values 0..255"),
        (noise(4, 32, 32, 3), np.full((4, 2), 0.5), "one class for each example"),
        (noise(4, 32, 32, 3), np.eye(2)[[0, 1, 0, 1], None], "one class for each example"),
        (noise(4, 32, 32, 3), [[0], [0, 1], [1], [0]], "one class for each example"),
        (noise(4, 32, 32, 3), [0, 1, float("inf"), 1], "expected classes; received inf"),
        (noise(5, 32, 32, 3), "aabcd", "3 of 5 examples have one of their own, such as 'a'"),
        (noise(25, 2, 2), np.linspace(0, 1, 25), "expected classes; received 25 different"),
        (noise(4, 32, 32, 3), ["a\nb", "c", "a\nb", "c"], "printable"),
        (["gone.png", "gone.jpg"], "ab", "no image can be read: gone.png can't be read"),
    ],
)
def test_arrays_that_do_not_do_are_named(inputs, targets, complaint):
    with pytest.raises(DataError, match=complaint):
        learn("cifar_cnn_basic", (inputs, list(targets)))


def test_missing_and_mixed_labels_are_counted():
    targets = [1, 2, pd.NA, "unknown", 1, 2]
    with pytest.warns(DataWarning) as caught:
        identity, examples, _ = learn("cifar_cnn_basic", (noise(6, 32, 32, 3), targets))
    told = "\n".join(str(one.message) for one in caught)
    assert "1 of 6 examples have no label" in told
    assert "4 numbers and 1 words, such as 'unknown'" in told
    assert identity.labels == ("1", "2", "unknown")
    assert np.bincount(examples.targets).tolist() == [2, 2, 1]


def test_a_folder_that_keras_reads_keeps_its_classes(photos):
    dataset = keras.utils.image_dataset_from_directory(photos, image_size=(32, 32), verbose=False)
    identity, examples, _ = learn("cifar_cnn_basic", dataset)
    assert (identity.labels, len(examples)) == (LABELS, 12)


def test_batches_of_grey_images_without_a_channel_are_read():
    pairs = noise(6, 28, 28), np.arange(6) % 3
    dataset = tf.data.Dataset.from_tensor_slices(pairs).batch(4)
    _, examples, _ = learn("fashion_cnn", dataset)
    assert examples.inputs.shape == (6, 28, 28, 1)


@pytest.mark.parametrize("way", ["plain", "batched", "one-hot", "many-sizes"])
def test_tf_data_is_read(way):
    pictures, targets = noise(6, 32, 32, 3), np.array([0, 1, 2, 0, 1, 2])
    given = np.eye(3, dtype="float32")[targets] if way == "one-hot" else targets
    dataset = tf.data.Dataset.from_tensor_slices((pictures, given))
    if way in ("batched", "one-hot"):
        dataset = dataset.batch(4)
    if way == "many-sizes":
        signature = (tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((), tf.int64))
        pairs = [(picture[: 10 + n], n % 3) for n, picture in enumerate(pictures)]
        dataset = tf.data.Dataset.from_generator(lambda: pairs, output_signature=signature)
    identity, examples, _ = learn("cifar_cnn_basic", dataset)
    assert identity.labels == ("0", "1", "2")
    assert examples.inputs.shape == (6, 32, 32, 3)
    if way != "many-sizes":
        order = [int(np.flatnonzero((pictures == x).all((1, 2, 3)))[0]) for x in examples.inputs]
        np.testing.assert_array_equal(targets[order], examples.targets)


def test_tf_data_that_does_not_do_is_named():
    plain = tf.data.Dataset.from_tensor_slices(noise(6, 32, 32, 3))
    with pytest.raises(DataError, match=r"expected elements \(input, target\)"):
        learn("cifar_cnn_basic", plain)
    with pytest.raises(DataError, match=r"of a dict take two: \.map"):
        learn("cifar_cnn_basic", plain.map(lambda image: {"image": image, "label": 0}))
    pairs = tf.data.Dataset.zip(plain, tf.data.Dataset.range(6))
    with pytest.raises(DataError, match="of 0 examples"):
        learn("cifar_cnn_basic", pairs.take(0))
    pairs = pairs.repeat()
    with pytest.raises(DataError, match=r"leave out \.repeat"):
        learn("cifar_cnn_basic", pairs)


def test_a_tfds_name_is_read():
    for name in ("tfds:fashion_mnist", "fashion_mnist"):
        identity, examples, _ = learn("cifar_cnn_basic", name, split="sample")
        assert identity.labels[0] == "T-shirt/top"
        assert examples.inputs.shape == (len(datasets.sample("fashion_mnist")), 32, 32, 3)
    identity, examples, _ = learn("lstm", "imdb_reviews", split="sample")
    assert identity.labels == ("neg", "pos")
    assert set(examples.inputs) == set(datasets.sample("imdb_reviews").inputs)
    identity, examples, _ = learn("linear_regression", "diamonds", split="sample", target="price")
    assert identity.task == "tabular-regression"
    assert "carat" in examples.inputs


def test_a_tfds_name_that_can_not_be_had_is_named(tmp_path, monkeypatch):
    for name in ("fotos", "my fotos", "tfds:"):
        with pytest.raises(DataError, match="there is no such file or folder here, and Tensor"):
            learn("cifar_cnn_basic", name)
    with pytest.raises(DataError, match="expected a file, a folder or a data set's name"):
        learn("cifar_cnn_basic", "")
    monkeypatch.setattr(datasets, "builder", lambda name: tfds.builder(name, data_dir=tmp_path))
    monkeypatch.setattr(datasets, "_check_network", lambda builder: 1 / 0)
    with pytest.raises(DataError, match=r"'fashion_mnist' is not in .*ZeroDivisionError"):
        learn("cifar_cnn_basic", "tfds:fashion_mnist", split="train[:7]")


def test_a_table_of_the_models_columns_keeps_them():
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame({**sample.inputs, "price": sample.targets, "shop": "mine"})
    task = task_of("linear_regression")
    source = UserData(frame, target="price")
    identity, examples, _ = task.data.load_user_data(source, 0, going_on=True)
    assert identity == task.identity, "its columns, and the logarithm of the price"
    assert len(examples) == len(sample)
    anew, _, _ = task.data.load_user_data(source, 0)
    assert anew.inputs != identity.inputs
    other, _, _ = task.data.load_user_data(UserData(frame.drop(columns="carat"), target="price"), 0,
                                  going_on=True)  # fmt: skip
    assert "carat" not in [column.name for column in other.inputs]


def test_columns_and_targets(tmp_path):
    random = np.random.default_rng(0)
    columns = {"size": random.normal(size=30), "kind": random.choice(["x", "y"], 30)}
    identity, examples, _ = learn("linear_regression", (columns, ["a", "b", "c"] * 10))
    assert (identity.task, identity.labels) == ("tabular-classification", ("a", "b", "c"))
    assert identity.target.name == "target"
    assert set(examples.inputs) == {"size", "kind"}
    with pytest.raises(DataError, match="expected columns by name"):
        learn("linear_regression", (np.zeros((30, 2)), ["a", "b", "c"] * 10))


@pytest.mark.parametrize("given", [3, ["a", "b"], None, (1, 2)])
def test_data_of_no_known_kind_is_named(given):
    for model in ("cifar_cnn_basic", "lstm", "linear_regression"):
        with pytest.raises(DataError, match="received"):
            learn(model, given)


def test_classes_that_a_model_does_not_know_are_counted(photos):
    task = task_of(task_of("cifar_cnn_basic").identity.with_class_names(["cat", "dog"]))
    with pytest.raises(DataError, match=r"4 of 12 examples have a class.*'owl'.*Known: cat, dog"):
        task.data.load_eval_data(UserData(photos))
    (photos / "owl").rename(photos / ".owl")
    examples = task.data.load_eval_data(UserData(photos))
    assert np.bincount(examples.targets).tolist() == [4, 4]


def test_measuring_takes_numbers_of_classes_or_their_names():
    task = task_of(task_of("cifar_cnn_basic").identity.with_class_names(["b", "a"]))
    pictures = noise(4, 32, 32, 3)
    for targets in (["b", "a", "a", "b"], [0, 1, 1, 0]):
        examples = task.data.load_eval_data(UserData((pictures, targets)))
        assert examples.targets.tolist() == [0, 1, 1, 0]
    examples = task.data.load_eval_data(UserData(Examples(pictures, np.array([0, 1, 1, 0]), "x")))
    assert examples.description == "x"
