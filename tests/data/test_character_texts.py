import helpers
import numpy as np
import pytest

from keras_fm.data import character_texts, characters, datasets, examples
from keras_fm.data.character_texts import EvalWindows
from keras_fm.data.text_batches import SequenceWindows
from keras_fm.errors import DataError


def windows(length=100, seed=0, **fields):
    numbers = np.arange(length + 1, dtype="int32")
    recipe = helpers.recipe(**{"batch_size": 3, "sequence_length": 8, **fields})
    return SequenceWindows(numbers[:-1], numbers[1:], recipe=recipe, seed=seed)


def epoch_of(batches, epoch):
    batches.epoch = epoch
    return [batches[step] for step in range(len(batches))]


def test_each_character_answers_with_the_next_one():
    examples = characters("añ🙂", "a text")
    assert examples.inputs.tolist() == [97, 0xF1]
    assert examples.targets.tolist() == [0xF1, 0x1F642]
    assert len(examples) == 2


def test_the_sample_is_a_piece_of_the_test_split():
    sample = datasets.sample("tiny_shakespeare")
    text = "".join(map(chr, sample.inputs))
    assert text.startswith("?\n\nGREMIO:\nGood morrow, neighbour Baptista.")
    assert len(text) == 4096
    np.testing.assert_array_equal(sample.inputs[1:], sample.targets[:-1])


@pytest.mark.full_data
def test_the_splits_are_nanogpts():
    train = datasets.load("tiny_shakespeare", "train")
    test = datasets.load("tiny_shakespeare", "validation+test")
    assert (len(train), len(test)) == (1_003_853, 111_539)
    assert "".join(map(chr, train.inputs[:13])) == "First Citizen"
    assert "".join(map(chr, test.targets[-8:])) == "waking.\n"
    np.testing.assert_array_equal(datasets.sample("tiny_shakespeare").inputs, test.inputs[:4096])


def test_a_file_is_read_whatever_its_bytes(tmp_path):
    file = tmp_path / "book.txt"
    file.write_bytes("\ufeffä".encode() + b"\xff\r\nb")
    examples = character_texts.read_text_file(file)
    text = chr(examples.inputs[0]) + "".join(map(chr, examples.targets))
    assert text == "ä\ufffd\r\nb"
    file.write_text("x")
    with pytest.raises(DataError, match=r"book\.txt: expected a text .* 1 characters"):
        character_texts.read_text_file(file)
    with pytest.raises(DataError, match=r"none\.txt: can't be read"):
        character_texts.read_text_file(tmp_path / "none.txt")


def test_the_vocabulary_is_what_comes_twice():
    assert character_texts.character_vocabulary(
        examples.characters("banana cd c\nñ🙂🙂ñ!", "")
    ) == [
        " ",
        "a",
        "c",
        "n",
        "ñ",
        "🙂",
    ]


def test_the_vocabulary_has_an_end(monkeypatch):
    monkeypatch.setattr(character_texts, "MAX_CHARACTERS", 2)
    assert character_texts.character_vocabulary(examples.characters("aabbbccc.", "")) == ["b", "c"]


def test_characters_have_their_place_from_1_and_others_0():
    known = ["b", "ñ", "a", "🙂"]
    codes = np.array([ord(character) for character in "abz🙂ñ\0\U0010ffff"])
    numbers = character_texts.encode_characters(known, codes)
    assert numbers.tolist() == [3, 1, 0, 4, 2, 0, 0]
    assert numbers.dtype == np.int32


def test_windows_lie_side_by_side_and_move_from_epoch_to_epoch():
    batches = windows()
    offsets = set()
    for epoch in range(100):
        steps = zip(*epoch_of(batches, epoch), strict=True)
        inputs, targets = (np.concatenate(part) for part in steps)
        np.testing.assert_array_equal(targets, inputs + 1)
        np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(8))
        starts = np.sort(inputs[:, 0])
        assert len(starts) == 9 == len(np.unique(starts))
        assert set((starts - starts[0]) % 8) == {0}
        offsets.add(starts[0] % 8)
    assert offsets == set(range(8))


def test_windows_reach_both_ends():
    batches = windows(length=20, batch_size=1)
    seen = set()
    for epoch in range(50):
        seen |= {*np.concatenate([inputs.ravel() for inputs, _ in epoch_of(batches, epoch)])}
    assert seen == set(range(20))


def test_batches_are_a_function_of_seed_epoch_and_step():
    one, same, other = windows(), windows(), windows(seed=1)
    np.testing.assert_array_equal(one[1][0], same[1][0])
    assert not np.array_equal(one[1][0], other[1][0])
    one.epoch = 1
    assert not np.array_equal(one[1][0], same[1][0])


@pytest.mark.parametrize("length", [1, 5, 8, 9, 15, 16, 17])
def test_a_short_text_makes_windows_too(length):
    batches = windows(length=length)
    assert len(batches) == 1
    inputs, targets = batches[0]
    assert inputs.shape == targets.shape
    assert inputs.shape[1] == min(8, length)
    assert targets.max() <= length


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 9, 12, 13, 30, 31, 32, 33])
def test_every_character_is_measured_once_with_its_context(length):
    numbers = np.arange(length + 1)
    cut = EvalWindows.of(numbers[:-1], numbers[1:], context=4)
    assert cut.inputs.shape == cut.targets.shape == cut.scored.shape
    np.testing.assert_array_equal(cut.targets, cut.inputs + 1)
    scored = cut.targets[cut.scored == 1]
    assert sorted(scored) == list(range(1, length + 1))
    for inputs, counts in zip(cut.inputs, cut.scored, strict=True):
        for place in np.flatnonzero(counts):
            assert place >= min(4, inputs[place])
