"""Token IDs of texts and of a server's requests."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks import vocabulary

TEXTS = [b"a great film", b"", b"bad"] * 3


@pytest.fixture
def words(tiny_reader):
    return ModelSpec.of(registry.find("tiny_reader")[0]).task.data.vocabulary


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_texts_are_tokenized_in_batches_and_each_one_has_its_own_tokens(
    words, monkeypatch, batch_size
):
    alone = [words.token_ids([text], 10)[0].tolist() for text in TEXTS]
    monkeypatch.setattr(vocabulary, "TOKENIZE_BATCH", batch_size)
    rows = words.token_ids(TEXTS, 10)
    assert [row.tolist() for row in rows] == alone
    assert len({tuple(row) for row in alone}) == 3


def test_a_vocabulary_traces_its_tokenizer_once_for_all_batches(words, monkeypatch):
    calls, tokenizer = [], words.tokenizer

    def tokenize(texts, max_length):
        calls.append(tf.executing_eagerly())
        return tokenizer(texts, max_length)

    monkeypatch.setitem(words.__dict__, "tokenizer", tokenize)
    rows = [words.token_ids(TEXTS[:size], 9) for size in (3, 1, 9, 2)]
    assert calls == [True, False], "the first call is not worth a graph"
    assert all((row == rows[2][index]).all() for index, row in enumerate(rows[0]))
    assert [len(row) for row in words.token_ids(TEXTS[:1], 2)] == [2], "another length"


@pytest.mark.parametrize(
    ("row", "valid"),
    [
        ([2, 3, 0], True),
        ([0, 0, 0], False),
        ([2, 0, 3], False),
        ([0, 2, 3], False),
        ([2, -1, 0], False),
        ([2, "size", 0], False),
        ([2, "last", 0], True),
    ],
)
def test_token_ids_are_those_of_the_vocabulary_with_padding_behind_them(words, row, valid):
    ids = {"size": words.size, "last": words.size - 1}
    text_ids = tf.constant([[2, 2, 2], [ids.get(token, token) for token in row]])
    if valid:
        np.testing.assert_array_equal(words.check_token_ids(text_ids), text_ids)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"numbers from 1 to {words.size - 1}"):
        words.check_token_ids(text_ids)
