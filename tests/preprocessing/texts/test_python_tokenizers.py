"""The tokenizers in Python find the tokens that those in TensorFlow ops find."""

import unicodedata

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.data import datasets
from keras_fm.preprocessing.texts import python_tokenizers, tokenizers

PAIRS = {
    "lstm": (tokenizers.WordTokenizer, python_tokenizers.PythonWordTokenizer),
    "mini_bert": (tokenizers.WordPieceTokenizer, python_tokenizers.PythonWordPieceTokenizer),
}
ODD_TEXTS = [
    b"", b" \n ", b"<br />a<b, b>a", b"<" + b"a" * 41 + b">", b"x" * 100, b"x" * 101,
    b"\xff the \xc3", b"tab\tline\nnull\0end\x1f.\x7f", "ΑΣ ΑΣΑ ΣΑΣ. İI".encode(), b"\xed\xa0\x80",
    "👍👎 10/10!! isn't e\u0301 \u00a0 日本".encode(), b"[MASK] [PAD] ##s",
]  # fmt: skip


def assert_same(name, texts, max_length):
    in_ops, in_python = (tokenizer(helpers.ROOT / "zoo" / name / "vocabulary.txt")
                         for tokenizer in PAIRS[name])  # fmt: skip
    expected = in_ops(tf.constant(texts, tf.string), max_length).to_list()
    for text, token_ids in zip(texts, expected, strict=True):
        found = in_python.token_ids(text, max_length)
        assert found.dtype == np.int32
        assert found.tolist() == token_ids, text[:200]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("max_length", [512, 41, 6])
def test_reviews_have_the_same_tokens(name, max_length):
    assert_same(name, list(datasets.sample("imdb_reviews").inputs), max_length)


@pytest.mark.parametrize("name", PAIRS)
def test_odd_texts_and_random_bytes_have_the_same_tokens(name):
    random = np.random.default_rng(0)
    noise = [random.bytes(length) for length in random.integers(0, 60, 300)]
    assert_same(name, ODD_TEXTS + noise, 512)


@pytest.mark.parametrize("name", PAIRS)
def test_every_character_is_a_word_a_symbol_or_a_space_in_both(name):
    # One that Python's version of Unicode does not know ("Cn") may be a letter in TensorFlow's.
    assigned = [chr(c) for c in range(0x3400) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    assert_same(name, [f"a{character}b".encode() for character in assigned], 512)


def test_a_str_is_read_as_its_utf8(tmp_path):
    file = tmp_path / "vocabulary.txt"
    file.write_text("é\n", "utf-8")
    tokenizer = python_tokenizers.PythonWordTokenizer(file)
    assert tokenizer.token_ids("É \ud800 é", 10).tolist() == [2, 2]
