"""Words of a table's texts, hashed to buckets."""

import numpy as np
import tensorflow as tf

from keras_fm.preprocessing.tables.hashed_words import count_words, split_words

BUCKETS = 4096  # so many that no two of a few words share one


def counts(*texts):
    return count_words(tf.constant(texts), BUCKETS).numpy()


def test_words_are_separated_by_all_but_letters_marks_and_digits():
    (words,) = split_words(tf.constant(["  Größe: 38, nicht 40!\tהכל–טוב"])).to_list()
    assert [word.decode() for word in words] == ["größe", "38", "nicht", "40", "הכל", "טוב"]


def test_words_are_counted_in_any_order_and_case():
    first, second, other = counts("good, GOOD bad", "Bad good. Good", "good bad")
    np.testing.assert_array_equal(first, second)
    assert (first.sum(), first.max(), other.sum(), other.max()) == (3, 2, 2, 1)
    assert first.dtype == np.int32


def test_a_text_without_words_has_no_counts():
    assert counts("", " ?! ").tolist() == np.zeros((2, BUCKETS)).tolist()


def test_few_buckets_are_shared():
    assert count_words(tf.constant(["a b c d e f g"]), 2).numpy().sum(axis=1) == [7]
