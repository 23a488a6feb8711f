"""Bucketed texts, and windows for masked language modeling."""

import helpers
import numpy as np
import pytest

from keras_fm.data import text_batches
from keras_fm.data.text_batches import BucketedTexts, MaskedLMBatches, MaskGenerator

MASK_ID = 4


def make_token_ids(lengths):
    """Texts of these lengths; each repeats one token ID, its index + 10."""
    token_ids = np.empty(len(lengths), object)
    token_ids[:] = [np.full(length, index + 10, "int32") for index, length in enumerate(lengths)]
    return token_ids


def test_sequences_are_padded_at_the_end_to_a_multiple():
    padded = text_batches.pad_sequences(make_token_ids([3, 1, text_batches.PAD_MULTIPLE + 1]))
    assert padded.shape == (3, 2 * text_batches.PAD_MULTIPLE)
    assert padded.dtype == np.int32
    assert padded[0, :4].tolist() == [10, 10, 10, 0]
    assert padded[1, :2].tolist() == [11, 0]
    assert (padded != 0).sum(axis=1).tolist() == [3, 1, text_batches.PAD_MULTIPLE + 1]


def test_texts_of_similar_length_are_batched_the_shortest_first():
    groups = text_batches.bucket_by_length(make_token_ids([5, 1, 4, 2, 3]), 2)
    assert [group.tolist() for group in groups] == [[1, 3], [4, 2], [0]]


def test_a_batch_has_texts_of_similar_length_and_an_epoch_has_all_texts():
    lengths = np.random.default_rng(0).integers(1, 500, 200)
    recipe = helpers.recipe("text-classification", batch_size=10)
    batches = BucketedTexts(make_token_ids(lengths), np.arange(200), recipe=recipe, seed=0)
    seen, spreads, means = [], [], []
    for step in range(len(batches)):
        token_ids, indices = batches[step]
        assert (token_ids[:, 0] == indices + 10).all()
        assert ((token_ids != 0).sum(axis=1) == lengths[indices]).all()
        seen += indices.tolist()
        spreads.append(np.ptp(lengths[indices]))
        means.append(lengths[indices].mean())
    assert sorted(seen) == list(range(200))
    assert max(spreads) < 80, "all 20 batches are one bucket"
    assert (np.diff(means) < 0).any(), "the batches are shuffled"


def test_each_epoch_of_a_pass_has_other_texts():
    batches = BucketedTexts(
        make_token_ids([3] * 25),
        np.arange(25),
        recipe=helpers.recipe("text-classification", batch_size=4, epochs_per_pass=2),
        seed=0,
    )
    assert len(batches) == 3
    seen = []
    for batches.epoch in range(2):
        seen += np.concatenate([batches[step][1] for step in range(3)]).tolist()
    assert len(set(seen)) == 24


def test_token_dropout_masks_tokens_and_no_padding():
    lengths = [100, 400] * 50
    recipe = helpers.recipe("text-classification", batch_size=100, token_dropout=0.2)
    batches = BucketedTexts(
        make_token_ids(lengths), np.arange(100), recipe=recipe, seed=0, mask_id=MASK_ID
    )
    token_ids, indices = batches[0]
    is_token = np.arange(token_ids.shape[1]) < np.array(lengths)[indices][:, None]
    assert (token_ids[~is_token] == 0).all()
    is_masked = token_ids == MASK_ID
    assert is_masked[is_token].mean() == pytest.approx(0.2, abs=0.02)
    assert (token_ids == indices[:, None] + 10)[is_token & ~is_masked].all()


def test_the_mask_generator_follows_bert():
    token_ids = np.tile(np.array([[2, *range(5, 103), 3]], "int32"), (400, 1))
    inputs, targets = MaskGenerator(0.15, MASK_ID, 400)(token_ids, np.random.default_rng(0))
    positions, shown = inputs["mask_positions"], inputs["text_ids"]
    assert positions.shape == targets.shape == (400, 15)
    assert all(len(set(row)) == 15 for row in positions.tolist())
    assert (np.diff(positions, axis=1) > 0).all()
    np.testing.assert_array_equal(np.take_along_axis(token_ids, positions, 1), targets)
    assert targets.min() >= 5, "special tokens are never predicted"
    shown_tokens = np.take_along_axis(shown, positions, 1)
    is_random = (shown_tokens != MASK_ID) & (shown_tokens != targets)
    assert (shown_tokens == MASK_ID).mean() == pytest.approx(0.8, abs=0.02)
    assert (shown_tokens == targets).mean() == pytest.approx(0.1, abs=0.02)
    assert is_random.mean() == pytest.approx(0.1, abs=0.02)
    assert 5 <= shown_tokens[is_random].min() < 20
    assert 380 < shown_tokens[is_random].max() < 400
    is_unmasked = np.ones(token_ids.shape, bool)
    np.put_along_axis(is_unmasked, positions, False, axis=1)
    np.testing.assert_array_equal(shown[is_unmasked], token_ids[is_unmasked])
    assert len(np.unique(positions)) == 98


@pytest.mark.parametrize("cycles", [1, 2])
def test_sequences_become_longer_and_a_batch_has_as_many_tokens(cycles):
    recipe = helpers.recipe(
        "fill-mask", batch_size=8, sequence_length=10, long_sequence_length=40,
        long_sequence_from=0.5, epochs=4 * cycles, schedule="linear", num_cycles=cycles,
    )  # fmt: skip
    token_ids = make_token_ids([50] * 30)
    batches = MaskedLMBatches(token_ids, MaskGenerator(0.2, MASK_ID, 400), recipe=recipe, seed=0)
    shapes = []
    for batches.epoch in range(4 * cycles):
        inputs, targets = batches[len(batches) - 1]
        assert inputs["mask_positions"].shape == targets.shape
        shapes.append((inputs["text_ids"].shape, targets.shape))
    assert shapes == ([((8, 10), (8, 2))] * 2 + [((2, 40), (2, 8))] * 2) * cycles


def test_a_pass_over_all_windows_takes_several_epochs():
    recipe = helpers.recipe("fill-mask", batch_size=4, sequence_length=10, epochs_per_pass=3)
    token_ids, mask_generator = make_token_ids([50] * 30), MaskGenerator(0.1, MASK_ID, 400)
    batches = MaskedLMBatches(token_ids, mask_generator, recipe=recipe, seed=0)
    one_epoch = MaskedLMBatches(
        token_ids, mask_generator, recipe=recipe.override(epochs_per_pass=1), seed=0
    )
    assert len(batches) == len(one_epoch) // 3
    windows, all_windows = batches.short_windows, one_epoch.short_windows
    seen = []
    for windows.epoch in range(3):
        seen += [windows[step][1] for step in range(len(windows))]
    expected = [all_windows[step][1] for step in range(len(seen))]
    np.testing.assert_array_equal(np.concatenate(seen), np.concatenate(expected))


def test_masked_batches_are_a_function_of_seed_epoch_and_step():
    recipe = helpers.recipe("fill-mask", batch_size=4, sequence_length=10, epochs=4)
    batches, same, other = (
        MaskedLMBatches(
            make_token_ids([50] * 30), MaskGenerator(0.2, MASK_ID, 400), recipe=recipe, seed=seed
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(batches[1][0]["text_ids"], same[1][0]["text_ids"])
    assert not np.array_equal(batches[1][0]["mask_positions"], other[1][0]["mask_positions"])
    assert not np.array_equal(batches[1][0]["mask_positions"], batches[2][0]["mask_positions"])
    batches.epoch = 1
    assert not np.array_equal(batches[1][0]["mask_positions"], same[1][0]["mask_positions"])


def test_the_dataset_has_the_masked_windows_of_any_length():
    recipe = helpers.recipe(
        "fill-mask", batch_size=8, sequence_length=10, long_sequence_length=40,
        long_sequence_from=0.5, epochs=2,
    )  # fmt: skip
    token_ids = make_token_ids([50] * 30)
    batches = MaskedLMBatches(token_ids, MaskGenerator(0.2, MASK_ID, 400), recipe=recipe, seed=0)
    dataset = batches.as_dataset()
    for batches.epoch in range(2):
        elements = list(dataset.as_numpy_iterator())
        assert len(elements) == len(batches)
        inputs, targets = batches[0]
        assert elements[0][0].keys() == inputs.keys() == {"text_ids", "mask_positions"}
        for name, array in inputs.items():
            np.testing.assert_array_equal(elements[0][0][name], array)
        np.testing.assert_array_equal(elements[0][1], targets)
