import helpers
import numpy as np
import pytest

from keras_fm.data import splitting
from keras_fm.data.examples import Examples
from keras_fm.data.splitting import split_validation
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.errors import DataError, DataWarning


def split(examples, count, seed=0, regression=False, class_names=()):
    """Return the training and the validation examples, and the notes."""
    notes = DataNotes()
    parts = splitting.train_validation_split(
        examples, count, seed, regression=regression, notes=notes, class_names=class_names
    )
    return *parts, notes


def texts(words, targets):
    inputs = np.empty(len(words), object)
    inputs[:] = [word.encode() for word in words]
    return Examples(inputs, np.array(targets), "texts")


def test_each_class_has_its_share():
    targets = np.array([0] * 60 + [1] * 30 + [2] * 10)
    examples = Examples(helpers.noise(100).inputs, targets, "noise")
    train, validation, notes = split(examples, 20)
    assert np.bincount(validation.targets).tolist() == [12, 6, 2]
    assert np.bincount(train.targets).tolist() == [48, 24, 8]
    both = np.concatenate([train.inputs, validation.inputs])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in examples.inputs}
    assert (train.description, validation.description) == (
        "noise, 80 to train on", "noise, 20 held out"
    )  # fmt: skip
    assert notes == []


def test_inputs_and_targets_stay_together():
    targets = np.array([0] * 20 + [1] * 20)
    examples = Examples({"row": np.arange(40)}, targets, "table")
    for part in split(examples, 10)[:2]:
        np.testing.assert_array_equal(targets[part.inputs["row"]], part.targets)


def test_the_seed_draws():
    examples = helpers.noise(30)
    drawn, same, other = (split(examples, 6, seed)[1].inputs for seed in (0, 0, 1))
    np.testing.assert_array_equal(drawn, same)
    assert not np.array_equal(drawn, other)


@pytest.mark.parametrize(("sizes", "count", "validating"), [
    ([8, 8, 8], 6, [2, 2, 2]), ([8, 8, 8], 7, [3, 2, 2]), ([9, 1], 2, [2, 0]), ([3, 3], 5, [2, 2]),
    ([7, 2, 1], 5, [4, 1, 0]), ([1, 1, 1], 2, [0, 0, 0]),
])  # fmt: skip
def test_an_example_of_each_class_stays_to_train_on(sizes, count, validating):
    targets = np.repeat(np.arange(len(sizes)), sizes)
    examples = Examples(helpers.noise(len(targets)).inputs, targets, "x")
    train, validation, _ = split(examples, count)
    counts = np.bincount(train.targets, minlength=len(sizes))
    assert (np.array(sizes) - counts).tolist() == validating
    assert (validation is None) == (sum(validating) == 0)


def test_a_group_of_each_class_stays_to_train_on():
    """Also where all copies of an example are a group that would fill the quota of its class."""
    for seed in range(5):
        train, _, _ = split(texts(["a"] * 6 + ["b", "c", "d", "e"], [0] * 6 + [1] * 4), 6, seed)
        assert set(train.targets) == {0, 1}


def test_a_regression_is_stratified_by_quantile():
    values = np.random.default_rng(0).exponential(size=100)
    _, validation, _ = split(Examples({"size": values}, values, "table"), 20, regression=True)
    ranks = np.searchsorted(np.sort(values), validation.targets)
    assert np.bincount(ranks // 10).tolist() == [2] * 10


def test_duplicates_stay_on_one_side():
    examples = texts([f"text {n % 20}" for n in range(40)], [n % 2 for n in range(40)])
    train, validation, notes = split(examples, 10)
    assert len(validation) == 12, "five of each class, rounded up to pairs"
    assert not set(train.inputs) & set(validation.inputs)
    assert notes == [
        "20 of 40 texts are duplicates of others; duplicates stay on one side of the split"
    ]


def test_duplicate_images_stay_on_one_side():
    noise = helpers.noise(20)
    images = np.concatenate([noise.inputs, noise.inputs])
    train, validation, _ = split(Examples(images, np.arange(40) % 20 % 2, "pairs"), 10)
    sides = [{image.tobytes() for image in part.inputs} for part in (train, validation)]
    assert sides[0].isdisjoint(sides[1])


def test_duplicates_are_named():
    names = np.array([f"row {number}" for number in range(1, 7)], object)
    examples = Examples(list("abcdaf"), np.array([0, 1] * 2 + [0, 1]), "texts", names)
    _, _, notes = split(examples, 2)
    assert notes == [
        "1 of 6 texts is a duplicate of another; duplicates stay on one side of the split: row 5"
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "1 duplicate text has conflicting labels: cat and dog"),
        ("row 1,row 2", "1 duplicate text has conflicting labels: row 1 (cat) and row 2 (dog)"),
        ("cat/1,dog/2", "1 duplicate text has conflicting labels: cat/1 and dog/2"),
    ],
)
def test_conflicting_labels_are_named(names, message):
    names = None if names is None else np.array([*names.split(","), *"xyz"], object)
    examples = Examples([*"aabcd"], np.array([0, 1, 0, 1, 0]), "texts", names)
    with pytest.warns(DataWarning) as caught:
        split(examples, 2, class_names=["cat", "dog"])
    assert [str(warning.message) for warning in caught] == [message]


def test_three_pairs_of_conflicting_labels_are_named():
    inputs = np.repeat(helpers.noise(5).inputs, 2, axis=0)
    names = np.array([f"{label}/{n}.jpg" for n in range(5) for label in ("cat", "dog")], object)
    examples = Examples(inputs, np.array([0, 1] * 5), "images", names)
    with pytest.warns(DataWarning) as caught:
        split(examples, 2, class_names=["cat", "dog"])
    assert [str(warning.message) for warning in caught] == [
        "5 duplicate images have conflicting labels: cat/0.jpg and dog/0.jpg; cat/1.jpg and "
        "dog/1.jpg; cat/2.jpg and dog/2.jpg; and 2 more"
    ]


def test_equal_rows_of_a_table_are_counted():
    examples = Examples({"size": np.array([1.0, 2.0] * 10)}, np.array([0, 1] * 10), "table")
    with pytest.warns(DataWarning, match="4 of 4 validation examples are among the training"):
        _, validation, _ = split(examples, 4)
    assert len(validation) == 4


def test_leakage_is_counted_by_the_validation_examples():
    notes = DataNotes()
    train, validation = texts("aab", [0, 0, 0]), texts("abbcd", [0, 0, 0, 0, 0])
    with pytest.warns(DataWarning, match="3 of 5 validation examples"):
        splitting.warn_leakage(train, validation, notes)
    assert len(notes) == 1
    splitting.warn_leakage(train, texts("xy", [0, 0]), notes)
    assert len(notes) == 1


@pytest.mark.parametrize("count", [10, 11])
def test_validation_leaves_some_to_train_on(count):
    with pytest.raises(DataError, match=f"is {count}, but 10 images of noise has only 10"):
        split(helpers.noise(10), count)


def test_without_validation_everything_is_trained_on():
    noise = helpers.noise(10)
    train, validation, _ = split(noise, 0)
    assert train is noise
    assert validation is None


def test_many_duplicates_of_an_example_do_not_fill_the_split():
    words = ["frequent"] * 50 + [f"text {n}" for n in range(50)]
    for seed in range(5):
        train, validation, _ = split(texts(words, [0] * 50 + [1] * 50), 20, seed)
        assert len(train) + len(validation) == 100
        assert validation.targets.tolist() == [1] * 10


def test_validation_is_split_from_the_end():
    noise = helpers.noise(10)
    train, validation = split_validation(noise, 3)
    np.testing.assert_array_equal(train.inputs, noise.inputs[:7])
    np.testing.assert_array_equal(validation.inputs, noise.inputs[7:])
    np.testing.assert_array_equal(validation.targets, noise.targets[7:])
    assert train.description == "10 images of noise, first 7"
    assert validation.description == "10 images of noise, last 3"


def test_without_validation_from_the_end_everything_is_trained_on():
    noise = helpers.noise(10)
    assert split_validation(noise, 0) == (noise, None)


@pytest.mark.parametrize("count", [10, 11])
def test_validation_from_the_end_leaves_some_to_train_on(count):
    with pytest.raises(DataError, match=f"is {count}, but 10 images of noise has only 10"):
        split_validation(helpers.noise(10), count)
