"""Users' data: arrays, tf.data, folders, CSV files, TFDS; and their errors."""

import numpy as np
import pandas as pd
import pytest
from user_data import CLASS_NAMES, default_spec, load, noise

from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning, InvalidInputError
from keras_fm.preprocessing.images.loading import load_images


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
        (lambda folder: folder.rename(folder.parent / "moved"), "a class: there is no folder"),
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
        (["gone.png", "gone.jpg"], "ab", "no image can be read: there is no file gone.png"),
    ],
)
def test_unsuitable_arrays_are_named(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        load("cifar_cnn_basic", (inputs, list(targets)))


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
