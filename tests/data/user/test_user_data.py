"""Users' data: arrays, tf.data, folders, CSV files, TFDS; and their errors."""

import unicodedata
from pathlib import Path

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
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.images.loading import load_images

CLASS_NAMES = ("cat", "dog", "owl")


def default_spec(name):
    return ModelSpec.of(registry.find(name)[0])


def load(name, data, seed=0, **options):
    return default_spec(name).task.data.load_user_data(UserData(data, **options), seed)


@pytest.fixture
def photos(tmp_path):
    """Four images a class: JPEG, PNG, gray, with alpha; large, small and not square."""
    folder = tmp_path / "photos"
    for number, label in enumerate(CLASS_NAMES):
        (folder / label).mkdir(parents=True)
        for seed, (file_format, mode, height, width) in enumerate(
            [("JPEG", None, 40, 50), ("PNG", None, 32, 32), ("PNG", "L", 20, 90),
             ("PNG", "RGBA", 64, 33)]
        ):  # fmt: skip
            pixels = helpers.image(height, width, seed + 10 * number)
            file = folder / label / f"{seed}.{'jpg' if file_format == 'JPEG' else 'png'}"
            file.write_bytes(helpers.encode(pixels, file_format, mode))
    return folder


@pytest.mark.parametrize("model", ["cifar_cnn_basic", "fashion_cnn"])
def test_a_folder_of_images_is_preprocessed_as_by_the_pipeline(photos, model):
    spec, examples, notes = load(model, photos)
    assert spec.labels == CLASS_NAMES
    shape = tuple(spec.inputs[0].sizes)
    assert (examples.inputs.shape, examples.inputs.dtype) == ((12, *shape), np.uint8)
    assert np.bincount(examples.targets).tolist() == [4, 4, 4]
    assert "12 images of 3 classes" in examples.description
    assert notes == ["3 classes: cat 4, dog 4, owl 4"]
    expected = load_images([photos / "owl" / "0.jpg"], *shape)[0].round()
    is_owl_0 = [(image == expected).all() for image in examples.inputs]
    assert [examples.targets[index] for index in np.flatnonzero(is_owl_0)] == [2]


def test_the_seed_shuffles(photos):
    shuffled, same, other = (load("cifar_cnn_basic", photos, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(shuffled.inputs, same.inputs)
    assert not np.array_equal(shuffled.targets, other.targets)
    assert (np.diff(shuffled.targets) < 0).any(), "still sorted by class, as the folder is"


def test_a_class_without_readable_images_is_noted(photos):
    for file in (photos / "owl").iterdir():
        file.write_bytes(b"no image")
    with pytest.warns(DataWarning):
        spec, _, notes = load("cifar_cnn_basic", photos)
    assert any("1 class without any example that can be read: 'owl'" in x for x in notes)
    assert spec.labels == CLASS_NAMES[:2]


def test_files_that_are_no_images_are_counted_and_left_out(photos):
    (photos / "dog" / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "cat" / "cut.jpg").write_bytes((photos / "cat" / "0.jpg").read_bytes()[:200])
    (photos / "cat" / "text.png").write_text("no image")
    (photos / "dog" / "notes.txt").write_text("a dog")
    (photos / "dog" / "._0.jpg").write_bytes((photos / "dog" / "0.jpg").read_bytes())
    (photos / "empty").mkdir()
    (photos / ".cache").mkdir()
    with pytest.warns(DataWarning) as caught:
        spec, examples, notes = load("cifar_cnn_basic", photos)
    assert (spec.labels, len(examples)) == (CLASS_NAMES, 12)
    messages = "\n".join(str(warning.message) for warning in caught)
    assert (
        "3 of 15 images can't be read and are left out: cat/cut.jpg, cat/text.png and dog/gone"
        in messages
    )
    assert "dog is not an image and is left out: notes.txt" in messages
    assert "empty holds no images" in messages
    assert set(messages.split("\n")) <= set(notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: folder.rename(folder.parent / "moved"), "is not there; expected a folder"),
        (lambda folder: [(folder / x).rename(folder / f".{x}") for x in CLASS_NAMES[1:]],
         "two classes or more; received one, cat/"),
        (lambda folder: [(folder / x).rename(folder / f".{x}") for x in CLASS_NAMES],
         "received no folder with images"),
        (lambda folder: [file.write_text("x") for file in folder.glob("*/*")], "no image can be"),
        (lambda folder: [(folder / a).rename(folder / b) for a, b in
                         [("cat", "train"), ("dog", "val"), ("owl", "test")]],
         r"holds splits, not classes.*data='.*train', validation_data='.*val'"),
    ],
    ids=["gone", "one-class", "no-class", "no-image", "splits"],
)  # fmt: skip
def test_an_unsuitable_folder_is_named(photos, change, message):
    change(photos)
    with pytest.raises(DataError, match=message):
        load("cifar_cnn_basic", photos)


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
    ids=["same-size", "gray", "no-channels", "other-size", "mixed-sizes"],
)
def test_arrays_of_any_size_are_resized(inputs):
    spec, examples, _ = load("cifar_cnn_basic", (inputs, [7, 3, 7, 3, 10, 10]))
    assert spec.labels == ("3", "7", "10")
    assert (examples.inputs.shape, examples.inputs.dtype) == ((6, 32, 32, 3), np.uint8)
    indices = np.flatnonzero(examples.targets == 2)
    expected = load_images([inputs[4], inputs[5]], 32, 32, 3).round()
    assert {x.tobytes() for x in examples.inputs[indices]} == {
        x.astype("uint8").tobytes() for x in expected
    }


@pytest.mark.parametrize(
    ("targets", "class_names"),
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
    ids=["str", "bytes", "integers", "halves", "bool", "one-hot", "pandas", "column", "dates"],
)
def test_classes_are_inferred(targets, class_names):
    spec, examples, _ = load("cifar_cnn_basic", (noise(4, 32, 32, 3), targets))
    assert spec.labels == class_names
    assert np.bincount(examples.targets).tolist() == [2, 2]


def test_the_same_classes_take_the_order_of_the_model():
    task = default_spec("cifar_cnn_basic").with_class_names(["owl", "cat", "dog"]).task
    data = (noise(6, 32, 32, 3), ["cat", "dog", "owl"] * 2)
    spec, examples, _ = task.data.load_user_data(UserData(data), 0)
    assert spec.labels == ("owl", "cat", "dog")
    owls = {data[0][index].tobytes() for index in (2, 5)}
    assert {image.tobytes() for image in examples.inputs[examples.targets == 0]} == owls


def test_named_class_indices():
    data = (noise(4, 32, 32, 3), [0, 1, 0, 1])
    with pytest.warns(DataWarning, match="1 of 3 classes has fewer than 2 examples.*: 'fox'"):
        spec, _, notes = load("cifar_cnn_basic", data, class_names=["dog", "cat", "fox"])
    assert spec.labels == ("dog", "cat", "fox")
    assert "3 classes: dog 2, cat 2, fox 0" in notes
    with pytest.raises(DataError, match="from 0 to 1; received 0 to 2"):
        load("cifar_cnn_basic", (noise(3, 32, 32, 3), [0, 1, 2]), class_names=["a", "b"])
    with pytest.raises(DataError, match=r"1 of 3 examples has a class.*'cats'.*mean 'cat'"):
        load("cifar_cnn_basic", (noise(3, 32, 32, 3), ["cat", "dog", "cats"]),
              class_names=["cat", "dog"])  # fmt: skip


def test_imbalance_is_noted():
    targets = ["cat"] * 7 + ["dog"] * 2
    _, _, notes = load("cifar_cnn_basic", (noise(9, 32, 32, 3), targets))
    assert any("7 of 'cat', 2 of 'dog'; class_weight='balanced'" in note for note in notes)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (noise(4, 32, 32, 3), ["a"] * 4, "every example has the class 'a'; expected two"),
        (noise(1, 32, 32, 3), ["a"], "two examples or more to train on; received 1"),
        (noise(0, 32, 32, 3), [], "two examples or more to train on; received 0"),
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
        (
            noise(5, 32, 32, 3),
            "aabcd",
            "3 of 5 examples are the only ones of their class, such as 'a'",
        ),
        (noise(25, 2, 2), np.linspace(0, 1, 25), "expected classes; received 25 different"),
        (noise(4, 32, 32, 3), ["a\nb", "c", "a\nb", "c"], "printable"),
        (["gone.png", "gone.jpg"], "ab", "no image can be read: gone.png can't be read"),
    ],
)
def test_unsuitable_arrays_are_named(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        load("cifar_cnn_basic", (inputs, list(targets)))


def test_missing_and_mixed_labels_are_counted():
    targets = [1, 2, pd.NA, "unknown", 1, 2]
    with pytest.warns(DataWarning) as caught:
        spec, examples, _ = load("cifar_cnn_basic", (noise(6, 32, 32, 3), targets))
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "1 of 6 examples has no label and is left out: example 2" in messages
    assert "4 numbers and 1 word, such as 'unknown'" in messages
    assert spec.labels == ("1", "2", "unknown")
    assert np.bincount(examples.targets).tolist() == [2, 2, 1]


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
        with pytest.raises(DataError, match="there is no such file or folder here, and Tensor"):
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


@pytest.mark.parametrize("option", ["text", "target", "problem_type"])
def test_options_of_tables_are_refused_for_images(option):
    with pytest.raises(InvalidInputError, match="are for a CSV file or a table; images have none"):
        load("cifar_cnn_basic", (noise(4, 32, 32, 3), [0, 1, 0, 1]), **{option: "x"})


def test_a_table_with_the_columns_of_the_model_keeps_them():
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame({**sample.inputs, "price": sample.targets, "shop": "mine"})
    default = default_spec("linear_regression")
    load_user_data = default.task.data.load_user_data
    user_data = UserData(frame, target="price")
    spec, examples, _ = load_user_data(user_data, 0, keep_columns=True)
    assert spec == default, "its columns, and the logarithm of the price"
    assert len(examples) == len(sample)
    inferred, _, _ = load_user_data(user_data, 0)
    assert "shop" not in [column.name for column in spec.inputs]
    assert inferred.inputs != spec.inputs
    without_carat = UserData(frame.drop(columns="carat"), target="price")
    spec, _, _ = load_user_data(without_carat, 0, keep_columns=True)
    assert "carat" not in [column.name for column in spec.inputs]


def test_columns_and_targets_are_loaded():
    random = np.random.default_rng(0)
    columns = {"size": random.normal(size=30), "color": random.choice(["x", "y"], 30)}
    spec, examples, _ = load("linear_regression", (columns, ["a", "b", "c"] * 10))
    assert (spec.task_name, spec.labels) == ("tabular-classification", ("a", "b", "c"))
    assert spec.target.name == "target"
    assert set(examples.inputs) == {"size", "color"}
    with pytest.raises(DataError, match="expected columns by name"):
        load("linear_regression", (np.zeros((30, 2)), ["a", "b", "c"] * 10))


@pytest.mark.parametrize("data", [3, ["a", "b"], None, (1, 2)])
def test_data_of_an_unknown_type_is_named(data):
    for model in ("cifar_cnn_basic", "lstm", "linear_regression"):
        with pytest.raises(DataError, match="received"):
            load(model, data)


def test_classes_unknown_to_a_model_are_counted(photos):
    task = default_spec("cifar_cnn_basic").with_class_names(["cat", "dog"]).task
    with pytest.raises(DataError, match=r"4 of 12 examples have a class.*'owl'.*Known: cat, dog"):
        task.data.load_eval_data(UserData(photos))
    (photos / "owl").rename(photos / ".owl")
    examples = task.data.load_eval_data(UserData(photos))
    assert np.bincount(examples.targets).tolist() == [4, 4]


def test_evaluation_takes_class_indices_or_names():
    task = default_spec("cifar_cnn_basic").with_class_names(["b", "a"]).task
    pixels = noise(4, 32, 32, 3)
    for targets in (["b", "a", "a", "b"], [0, 1, 1, 0]):
        examples = task.data.load_eval_data(UserData((pixels, targets)))
        assert examples.targets.tolist() == [0, 1, 1, 0]
    examples = task.data.load_eval_data(UserData(Examples(pixels, np.array([0, 1, 1, 0]), "x")))
    assert examples.description == "x"


def decomposed(name):
    return unicodedata.normalize("NFD", name)


@pytest.mark.parametrize(
    "targets",
    [
        lambda: tf.constant([1, 0, 1, 0]),
        lambda: [tf.constant(x) for x in (1, 0, 1, 0)],
        lambda: [np.array(x) for x in (1, 0, 1, 0)],
        lambda: tf.one_hot([1, 0, 1, 0], 2),
        lambda: [tf.constant(row) for row in ([0, 1], [1, 0], [0, 1], [1, 0])],
        lambda: pd.DataFrame({"label": [1, 0, 1, 0]}),
        lambda: pd.Series([1, 0, 1, 0], index=[5, 6, 7, 8], dtype="Int64"),
        lambda: pd.get_dummies([1, 0, 1, 0]),
    ],
)
def test_targets_of_any_library_are_classes(targets):
    inputs = noise(4, 32, 32, 3)
    for images_of_any_library in (inputs, tf.constant(inputs), [tf.constant(x) for x in inputs]):
        spec, examples, _ = load("cifar_cnn_basic", (images_of_any_library, targets()))
        assert spec.labels == ("0", "1")
        ones = {x.tobytes() for x in examples.inputs[examples.targets == 1]}
        assert ones == {inputs[0].tobytes(), inputs[2].tobytes()}
    task = default_spec("cifar_cnn_basic").with_class_names(["0", "1"]).task
    assert task.data.load_eval_data(UserData((inputs, targets()))).targets.tolist() == [1, 0, 1, 0]


def test_ten_and_more_classes_in_arrays_are_sorted_as_numbers():
    targets = [np.array(n % 12) for n in range(24)]
    spec, _, _ = load("cifar_cnn_basic", (noise(24, 32, 32, 3), targets))
    assert spec.labels == tuple(map(str, range(12)))


@pytest.mark.parametrize("target", [{"label": 0}, {0}, object(), ("a", "b")],
                         ids=["dict", "set", "object", "tuple"])  # fmt: skip
def test_a_target_of_another_type_is_named(target):
    data = (noise(4, 32, 32, 3), [target] * 4)
    message = r"\('a', 'b'\)" if isinstance(target, tuple) else type(target).__name__
    with pytest.raises(DataError, match=f"expected .* class .*received {message}"):
        load("cifar_cnn_basic", data)
    with pytest.raises(DataError, match=f"expected .* class .*received {message}"):
        default_spec("cifar_cnn_basic").task.data.load_eval_data(UserData(data))


def test_targets_of_a_dict_in_a_dataset_are_named():
    dataset = tf.data.Dataset.from_tensor_slices((noise(4, 32, 32, 3), {"label": [0, 1, 0, 1]}))
    with pytest.raises(DataError, match="received dict"):
        load("cifar_cnn_basic", dataset)


def test_composed_and_decomposed_names_are_of_one_class(photos):
    data = (noise(4, 32, 32, 3), ["café", decomposed("café"), "tea", "tea"])
    spec, examples, _ = load("cifar_cnn_basic", data)
    assert spec.labels == ("café", "tea")
    assert np.bincount(examples.targets).tolist() == [2, 2]
    for class_names in (["tea", "café"], ["tea", decomposed("café")]):
        spec, examples, _ = load("cifar_cnn_basic", data, class_names=class_names)
        assert spec.labels == ("tea", "café")
    known = default_spec("cifar_cnn_basic").with_class_names(["tea", decomposed("café")])
    assert known.task.data.load_user_data(UserData(data), 0)[0].labels == ("tea", "café")
    targets = known.task.data.load_eval_data(UserData(data)).targets
    assert targets.tolist() == [1, 1, 0, 0]
    with pytest.raises(InvalidInputError, match="different printable names"):
        load("cifar_cnn_basic", data, class_names=["café", decomposed("café")])
    (photos / "cat").rename(photos / decomposed("café"))
    assert load("cifar_cnn_basic", photos)[0].labels == ("café", "dog", "owl")


@pytest.mark.parametrize("name", ["می\u200cخواهم", "👩\u200d🚀", "क्\u200dष"])
def test_a_class_name_can_have_a_joiner(name):
    data = (noise(4, 32, 32, 3), [name, "other"] * 2)
    assert set(load("cifar_cnn_basic", data)[0].labels) == {name, "other"}
    with pytest.raises(InvalidInputError, match="printable"):
        load("cifar_cnn_basic", data, class_names=["\u200d", "other"])


@pytest.mark.parametrize(
    "convert", [tuple, np.array, pd.Index, pd.Series, lambda x: np.array(x, object)]
)
def test_class_names_are_of_any_library(convert):
    data = (noise(4, 32, 32, 3), [0, 1, 0, 1])
    spec, _, _ = load("cifar_cnn_basic", data, class_names=convert(["no", "yes"]))
    assert spec.labels == ("no", "yes")
    assert {type(name) for name in spec.labels} == {str}


@pytest.mark.parametrize("class_names", ["no", {"no": 0, "yes": 1}, {"no", "yes"}, [0, 1], b"no"])
def test_other_class_names_are_refused(class_names):
    data = (noise(4, 32, 32, 3), [0, 1, 0, 1])
    with pytest.raises(InvalidInputError, match="class_names is a list of at least 2"):
        load("cifar_cnn_basic", data, class_names=class_names)


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
