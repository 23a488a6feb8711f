import helpers
import numpy as np
import pytest

from keras_fm.data import character_examples, character_texts, datasets
from keras_fm.data.character_texts import EvalWindows
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import SequenceWindows
from keras_fm.errors import DataError


def make_windows(length=100, seed=0, **fields):
    """Windows of a text of character indices 0, 1, ..., each character another one."""
    ids = np.arange(length + 1, dtype="int32")
    recipe = helpers.recipe("text-generation", **{"batch_size": 3, "sequence_length": 8, **fields})
    return SequenceWindows(ids[:-1], ids[1:], recipe=recipe, seed=seed)


def epoch_of(batches, epoch):
    batches.epoch = epoch
    return [batches[step] for step in range(len(batches))]


def test_the_target_of_each_character_is_the_next_one():
    examples = character_examples("añ🙂", "a text")
    assert examples.inputs.tolist() == [97, 0xF1]
    assert examples.targets.tolist() == [0xF1, 0x1F642]
    assert len(examples) == 2
    assert examples.description == "a text"


def test_the_sample_is_a_part_of_the_test_split():
    sample = datasets.sample("tiny_shakespeare")
    text = "".join(map(chr, sample.inputs))
    assert text.startswith("?\n\nGREMIO:\nGood morrow, neighbour Baptista.")
    assert len(text) == 4096
    np.testing.assert_array_equal(sample.inputs[1:], sample.targets[:-1])


@pytest.mark.full_data
def test_the_splits_are_those_of_nanogpt():
    train = datasets.load("tiny_shakespeare", "train")
    test = datasets.load("tiny_shakespeare", "validation+test")
    assert (len(train), len(test)) == (1_003_853, 111_539)
    assert "".join(map(chr, train.inputs[:13])) == "First Citizen"
    assert "".join(map(chr, test.targets[-8:])) == "waking.\n"
    np.testing.assert_array_equal(datasets.sample("tiny_shakespeare").inputs, test.inputs[:4096])


def test_a_file_of_any_bytes_is_read(tmp_path):
    file = tmp_path / "book.txt"
    file.write_bytes("\ufeffä".encode() + b"\xff\r\nb")
    examples = character_texts.read_text_file(file)
    text = chr(examples.inputs[0]) + "".join(map(chr, examples.targets))
    assert text == "ä\ufffd\r\nb"
    file.write_text("x")
    with pytest.raises(DataError, match=r"book\.txt: expected a text .* 1 character"):
        character_texts.read_text_file(file)
    with pytest.raises(DataError, match=r"there is no file .*none\.txt"):
        character_texts.read_text_file(tmp_path / "none.txt")


def test_texts_are_joined_with_blank_lines():
    texts = np.array([b"a<br />b", "ñ".encode(), b"\xff"], object)
    examples = character_texts.concatenate_texts(Examples(texts, np.zeros(3, int), "three texts"))
    text = chr(examples.inputs[0]) + "".join(map(chr, examples.targets))
    assert text == "a\nb\n\nñ\n\n\ufffd"
    assert examples.description == "three texts"


def test_the_vocabulary_is_the_characters_that_occur_twice():
    examples = character_examples("banana cd c\nñ🙂🙂ñ!", "")
    vocabulary = character_texts.character_vocabulary(examples)
    assert vocabulary == [" ", "a", "c", "n", "ñ", "🙂"]


def test_the_vocabulary_is_limited_to_the_most_frequent_characters(monkeypatch):
    monkeypatch.setattr(character_texts, "MAX_CHARACTERS", 2)
    examples = character_examples("aabbbccc.", "")
    assert character_texts.character_vocabulary(examples) == ["b", "c"]


def test_characters_have_indices_from_1_and_unknown_ones_0():
    codes = np.array([ord(character) for character in "abz🙂ñ\0\U0010ffff"])
    ids = character_texts.encode_characters(["b", "ñ", "a", "🙂"], codes)
    assert ids.tolist() == [3, 1, 0, 4, 2, 0, 0]
    assert ids.dtype == np.int32


def test_windows_are_adjacent_and_move_from_epoch_to_epoch():
    batches = make_windows()
    offsets = set()
    for epoch in range(100):
        steps = zip(*epoch_of(batches, epoch), strict=True)
        inputs, targets = (np.concatenate(arrays) for arrays in steps)
        np.testing.assert_array_equal(targets, inputs + 1)
        np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(8))
        starts = np.sort(inputs[:, 0])
        assert len(starts) == 9 == len(np.unique(starts))
        assert set((starts - starts[0]) % 8) == {0}
        offsets.add(starts[0] % 8)
    assert offsets == set(range(8))


def test_windows_reach_both_ends():
    batches = make_windows(length=20, batch_size=1)
    seen = set()
    for epoch in range(50):
        seen |= {*np.concatenate([inputs.ravel() for inputs, _ in epoch_of(batches, epoch)])}
    assert seen == set(range(20))


def test_windows_are_a_function_of_seed_epoch_and_step():
    batches, same, other = make_windows(), make_windows(), make_windows(seed=1)
    np.testing.assert_array_equal(batches[1][0], same[1][0])
    assert not np.array_equal(batches[1][0], other[1][0])
    batches.epoch = 1
    assert not np.array_equal(batches[1][0], same[1][0])


@pytest.mark.parametrize("length", [1, 5, 8, 9, 15, 16, 17])
def test_a_short_text_makes_windows_too(length):
    batches = make_windows(length=length)
    assert len(batches) == 1
    inputs, targets = batches[0]
    assert inputs.shape == targets.shape
    assert inputs.shape[1] == min(8, length)
    assert targets.max() <= length


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 9, 12, 13, 30, 31, 32, 33])
def test_every_character_is_scored_once_with_its_context(length):
    ids = np.arange(length + 1)
    windows = EvalWindows.from_arrays(ids[:-1], ids[1:], context=4)
    assert windows.inputs.shape == windows.targets.shape == windows.weights.shape
    assert windows.inputs.shape[1] == min(8, length)
    np.testing.assert_array_equal(windows.targets, windows.inputs + 1)
    scored = windows.targets[windows.weights == 1]
    assert sorted(scored) == list(range(1, length + 1))
    for inputs, weights in zip(windows.inputs, windows.weights, strict=True):
        for position in np.flatnonzero(weights):
            assert position >= min(4, inputs[position])
