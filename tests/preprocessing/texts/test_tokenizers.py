import numpy as np
import pytest
import tensorflow as tf

from keras_fm.preprocessing.texts import tokenizers

VOCABULARY = ["the", "film", "isn't", ".", "é", "👍", "日"]


@pytest.fixture
def tokenizer(tmp_path):
    file = tmp_path / "vocabulary.txt"
    file.write_text("".join(f"{word}\n" for word in VOCABULARY), "utf-8")
    return tokenizers.WordTokenizer(file)


def tokenize(tokenizer, *texts, max_length=100):
    raw = [text.encode() if isinstance(text, str) else text for text in texts]
    return tokenizer(tf.constant(raw, tf.string), max_length).to_list()


def split(text):
    raw = text if isinstance(text, bytes) else text.encode()
    (words,) = tokenizers.split_words(tf.constant([raw])).to_list()
    return [word.decode() for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The FILM isn't good.", ["the", "film", "isn't", "good", "."]),
        ("good.<br /><br />Bad", ["good", ".", "bad"]),
        ("a<b, b>a", ["a", "a"]),  # what looks like a tag is one
        ("10/10!!", ["10", "/", "10", "!", "!"]),
        ("ÉTÉ e\u0301", ["été", "e\u0301"]),
        ("👍👎", ["👍", "👎"]),
        ("tab\tline\nnull\0end", ["tab", "line", "null", "end"]),
        (b"\xff the \xc3", ["the"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_texts_are_split_into_words_and_symbols(text, expected):
    assert split(text) == expected


def test_words_have_ids_from_2(tokenizer):
    assert tokenize(tokenizer, "The film isn't 日 é.", "👍?") == [[2, 3, 4, 8, 6, 5], [7, 1]]


def test_a_text_without_words_is_an_unknown_word(tokenizer):
    assert tokenize(tokenizer, "", "  ", "<br />", "the") == [[1], [1], [1], [2]]


def test_the_middle_of_a_long_text_is_dropped(tokenizer):
    text = "the " * 3 + "film " * 10 + ". " * 3
    assert tokenize(tokenizer, text, "film", max_length=5) == [[2, 2, 2, 5, 5], [3]]
    assert tokenize(tokenizer, text, max_length=16) == [[2] * 3 + [3] * 10 + [5] * 3]


def test_a_batch_can_be_empty_or_large(tokenizer):
    assert tokenize(tokenizer) == []
    (row,) = tokenize(tokenizer, "the " * 250_000, max_length=400)
    assert row == [2] * 400


def test_a_row_does_not_depend_on_the_others(tokenizer):
    texts = ["the film", "", "é " * 500, "film . 日"]
    alone = [tokenize(tokenizer, text, max_length=50)[0] for text in texts]
    assert tokenize(tokenizer, *texts, max_length=50) == alone


def test_a_graph_tokenizes_alike(tokenizer):
    in_graph = tf.function(
        lambda text: tokenizer(text, 4).to_tensor(),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    np.testing.assert_array_equal(in_graph(tf.constant(["the film", "."])), [[2, 3], [5, 0]])
    assert in_graph(tf.constant([], tf.string)).shape[0] == 0
