import helpers
import numpy as np
import pytest

from keras_fm.data import splitting
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes
from keras_fm.errors import DataError, DataWarning


def cut(whole, count, seed=0, quantity=False):
    notes = DataNotes()
    return *splitting.train_validation_split(
        whole, count, seed, quantity=quantity, notes=notes
    ), notes


def texts(words, targets):
    inputs = np.empty(len(words), object)
    inputs[:] = [word.encode() for word in words]
    return Examples(inputs, np.array(targets), "texts")


def test_each_class_has_its_share():
    targets = np.array([0] * 60 + [1] * 30 + [2] * 10)
    whole = Examples(helpers.noise(100).inputs, targets, "noise")
    examples, validation, notes = cut(whole, 20)
    assert np.bincount(validation.targets).tolist() == [12, 6, 2]
    assert np.bincount(examples.targets).tolist() == [48, 24, 8]
    both = np.concatenate([examples.inputs, validation.inputs])
    assert {x.tobytes() for x in both} == {x.tobytes() for x in whole.inputs}
    assert (examples.description, validation.description) == (
        "noise, 80 to train on",
        "noise, 20 held out",
    )
    assert notes == []


def test_the_seed_draws():
    whole = helpers.noise(30)
    one, other, third = (cut(whole, 6, seed)[1].inputs for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, third)


@pytest.mark.parametrize(("sizes", "count", "held_out"), [
    ([8, 8, 8], 6, [2, 2, 2]), ([8, 8, 8], 7, [3, 2, 2]), ([9, 1], 2, [2, 0]), ([3, 3], 5, [2, 2]),
])  # fmt: skip
def test_a_class_keeps_an_example_to_train_on(sizes, count, held_out):
    targets = np.repeat(np.arange(len(sizes)), sizes)
    _, validation, _ = cut(Examples(helpers.noise(len(targets)).inputs, targets, "x"), count)
    assert np.bincount(validation.targets, minlength=len(sizes)).tolist() == held_out


def test_a_quantity_is_cut_over_its_whole_range():
    values = np.random.default_rng(0).normal(size=100)
    _, validation, _ = cut(Examples({"size": values}, values, "table"), 20, quantity=True)
    ranks = np.searchsorted(np.sort(values), validation.targets)
    assert np.bincount(ranks // 10).tolist() == [2] * 10


def test_copies_stay_on_one_side():
    whole = texts([f"text {n % 20}" for n in range(40)], [n % 2 for n in range(40)])
    examples, validation, notes = cut(whole, 10)
    assert len(validation) == 12, "of each class five, and copies are pairs"
    assert not set(examples.inputs) & set(validation.inputs)
    assert notes == [
        "20 of 40 examples are duplicates of others; they stay on one side of the split"
    ]


def test_copies_of_another_class_are_counted():
    whole = texts(["a", "b", "c", "d", "a", "b"], [0, 1, 0, 1, 1, 1])
    with pytest.warns(DataWarning, match="1 examples come again with another class"):
        cut(whole, 2)


def test_equal_rows_of_a_table_are_counted():
    whole = Examples({"size": np.array([1.0, 2.0] * 10)}, np.array([0, 1] * 10), "table")
    with pytest.warns(DataWarning, match="4 of 4 validation examples are among the training"):
        _, validation, _ = cut(whole, 4)
    assert len(validation) == 4


@pytest.mark.parametrize("count", [10, 11])
def test_something_is_left_to_train_on(count):
    with pytest.raises(DataError, match=f"is {count}, but 10 images of noise has only 10"):
        cut(helpers.noise(10), count)
    assert cut(helpers.noise(10), 0)[1] is None


def test_many_copies_of_one_example_do_not_fill_the_split():
    words = ["often"] * 50 + [f"text {n}" for n in range(50)]
    for seed in range(5):
        examples, validation, _ = cut(texts(words, [0] * 50 + [1] * 50), 20, seed)
        assert len(examples) + len(validation) == 100
        assert validation.targets.tolist() == [1] * 10
