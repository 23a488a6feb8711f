import functools

import helpers
import numpy as np
import pytest
import tensorflow as tf
from reference_tokenizer import reference_tokenizer

from keras_fm.data import datasets
from keras_fm.preprocessing.texts import tokenizers, wordpiece
from keras_fm.preprocessing.texts.tokenizers import WordPieceTokenizer

VOCABULARY = helpers.ROOT / "zoo" / "mini_bert" / "vocabulary.txt"
UNUSUAL_TEXTS = [
    "",
    " \n\t ",
    "I don't LOVE it<br /><br />!!",
    "ÉTÉ é e\u0301 ß İ ΑΣ Σς",
    "日本語 ひらがな 한국어 👍🏽 👨‍👩‍👧",
    "a\0b\x07c\x7fd\x85e",
    "\ud800 lone",
    b"\xe4a \xff\xfe",
    b"\xed\xa0\x80b \xc0\xaf \xf0\x9f\x98",
    "x" * 100,
    "x" * 101,
    "word " * 3000,
    "[MASK] [SEP] ##ing \ue000",
    "\u202e x\u200dy \ufeff\u3000z",
    "<" * 50 + "a" * 50 + ">" * 50,
    "\U0010ffff\U00020000",
    "1 MB of text. " * 75_000,
]


@functools.cache
def graph_tokenizer(file):
    tokenizer = WordPieceTokenizer(file)
    signature = tf.TensorSpec((None,), tf.string)
    return functools.cache(
        lambda max_length, **options: tf.function(
            lambda texts: tokenizer(texts, max_length, **options), input_signature=[signature]
        )
    )


def tokenize_in_graph(file, texts, max_length=512, **options):
    raw = [t if isinstance(t, bytes) else t.encode("utf-8", "surrogatepass") for t in texts]
    return graph_tokenizer(file)(max_length, **options)(tf.constant(raw, tf.string)).to_list()


@pytest.fixture(scope="module")
def small_vocabulary(tmp_path_factory):
    """A vocabulary file, and its tokens."""
    tokens = ["a", "f", "##f", "film", "##s", "un", "##film", "##ed", "!"]
    tokens = [*wordpiece.SPECIAL_TOKENS, *tokens]
    file = tmp_path_factory.mktemp("small") / "vocabulary.txt"
    file.write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    return file, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A film!", ["a", "film", "!"]),
        ("unfilmed films", ["un", "##film", "##ed", "film", "##s"]),
        ("ff fff", ["f", "##f", "f", "##f", "##f"]),
        ("filmx a", ["[UNK]", "a"]),  # a word that is partly unknown is unknown as a whole
        ("xfilm", ["[UNK]"]),
        ("f" * 100, ["f", *["##f"] * 99]),
        ("f" * 101, ["[UNK]"]),
        ("[MASK]", ["[UNK]", "[UNK]", "[UNK]"]),
        ("", []),
    ],
)
def test_words_are_split_into_the_longest_tokens(text, expected, small_vocabulary):
    file, tokens = small_vocabulary
    token_ids = [tokens.index(token) for token in ["[CLS]", *expected, "[SEP]"]]
    assert tokenize_in_graph(file, [text]) == [token_ids]
    assert reference_tokenizer(file)(text) == token_ids


def test_the_middle_of_a_long_text_is_dropped(small_vocabulary):
    file, _ = small_vocabulary
    text = "a " * 4 + "film " * 9 + "! " * 3
    expected = [2, 5, 5, 5, 5, 13, 13, 13, 3]
    assert tokenize_in_graph(file, [text, "a"], max_length=9) == [expected, [2, 5, 3]]
    assert reference_tokenizer(file)(text, max_length=9) == expected


def test_masks_are_parsed_on_request(small_vocabulary):
    file, tokens = small_vocabulary
    text = "a[MASK] \ue000film [mask]"
    [token_ids] = tokenize_in_graph(file, [text], parse_masks=True)
    unknown = ["[UNK]"] * 3
    expected = ["[CLS]", "a", "[MASK]", "film", *unknown, "[SEP]"]
    assert [tokens[token_id] for token_id in token_ids] == expected


def test_unusual_texts_agree_with_the_reference():
    tokenize = reference_tokenizer(VOCABULARY)
    rows = tokenize_in_graph(VOCABULARY, UNUSUAL_TEXTS)
    for text, row in zip(UNUSUAL_TEXTS, rows, strict=True):
        assert row == tokenize(text), repr(text[:60])


@pytest.mark.thorough
def test_every_character_agrees_with_the_reference():
    tokenize = reference_tokenizer(VOCABULARY)
    # In descending order, or "<" and ">" would enclose a tag.
    words = [f"a{chr(code)}b" for code in range(0x30000)[::-1] if not 0xD800 <= code < 0xE000]
    texts = [" ".join(words[start : start + 100]) for start in range(0, len(words), 100)]
    rows = tokenize_in_graph(VOCABULARY, texts)
    assert max(map(len, rows)) < 512, "a truncated text would not be compared to its end"
    assert [text for text, row in zip(texts, rows, strict=True) if tokenize(text) != row] == []


def test_random_bytes_agree_with_the_reference():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 256, 20, dtype="uint8").tobytes() for _ in range(3000)]
    tokenize = reference_tokenizer(VOCABULARY)
    assert tokenize_in_graph(VOCABULARY, texts) == [tokenize(text) for text in texts]


def test_reviews_agree_with_the_reference():
    texts = list(datasets.sample("imdb_reviews").inputs)
    tokenize = reference_tokenizer(VOCABULARY)
    assert tokenize_in_graph(VOCABULARY, texts) == [tokenize(text) for text in texts]


@pytest.mark.full_data
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.by_hand)])
def test_test_reviews_agree_with_the_reference(step):
    tokenize, tokenizer = reference_tokenizer(VOCABULARY), WordPieceTokenizer(VOCABULARY)
    texts = datasets.load("imdb_reviews", "test").inputs
    assert len(texts) == 25_000
    texts = texts[::step]
    for start in range(0, len(texts), 5000):
        batch = list(texts[start : start + 5000])
        assert tokenizer(tf.constant(batch), 512).to_list() == [tokenize(text) for text in batch]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a👍b𠀀c日d！e½f“g™h", [*"a👍b𠀀c日d！e½f“g™h"]),
        ("a\u2029b\u200bc\xadd\ufeffe\U000f0000f", ["a", "b", "c", "d", "e", "f"]),
        ("añbßcжdऄe'f_g", ["añbßcжdऄe", "'", "f", "_", "g"]),
        (f"a<{'x' * 40}>b", ["a", "b"]),
        (f"a<{'x' * 41}>b", ["a", "<", "x" * 41, ">", "b"]),
    ],
    ids=["symbols", "spaces", "letters", "tag", "no-tag"],
)  # fmt: skip
def test_characters_are_spaces_symbols_or_parts_of_words(text, expected):
    spaced = tf.strings.regex_replace([text.encode()], wordpiece.SPACES, " ")
    words = tokenizers.split_words(spaced, wordpiece.SYMBOLS)
    assert [word.decode() for word in words.flat_values.numpy()] == expected
