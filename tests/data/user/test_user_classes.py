"""The classes of users' data: inferred, named, or those that a model knows."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from user_data import default_spec, load, noise

from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning, InvalidInputError


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


def test_missing_and_mixed_labels_are_counted():
    targets = [1, 2, pd.NA, "unknown", 1, 2]
    with pytest.warns(DataWarning) as caught:
        spec, examples, _ = load("cifar_cnn_basic", (noise(6, 32, 32, 3), targets))
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "1 of 6 examples has no label and is left out: example 2" in messages
    assert "4 numbers and 1 word, such as 'unknown'" in messages
    assert spec.labels == ("1", "2", "unknown")
    assert np.bincount(examples.targets).tolist() == [2, 2, 1]


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
