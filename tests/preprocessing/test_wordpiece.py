import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.data import datasets
from keras_fm.preprocessing import tokenizers as tokenizing
from keras_fm.preprocessing import wordpiece
from keras_fm.preprocessing.wordpiece import WordPiece

FILE = helpers.ROOT / "zoo" / "mini_bert" / "vocabulary.txt"
NASTY = [
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


def raw(texts):
    return [t if isinstance(t, bytes) else t.encode("utf-8", "surrogatepass") for t in texts]


def in_graph(file, texts, max_length=512, **options):
    cut = tf.function(tokenizing.WordPieceTokenizer(file))
    return cut(tf.constant(raw(texts), tf.string), longest, **options).to_list()


@pytest.fixture
def tiny(tmp_path):
    pieces = [
        *wordpiece.SPECIAL_TOKENS,
        "a",
        "f",
        "##f",
        "film",
        "##s",
        "un",
        "##film",
        "##ed",
        "!",
    ]
    file = tmp_path / "vocabulary.txt"
    file.write_text("".join(f"{piece}\n" for piece in pieces), "utf-8")
    return file, pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A film!", ["a", "film", "!"]),
        ("unfilmed films", ["un", "##film", "##ed", "film", "##s"]),
        ("ff fff", ["f", "##f", "f", "##f", "##f"]),
        ("filmx a", ["[UNK]", "a"]),  # a word that is not all known is unknown as a whole
        ("xfilm", ["[UNK]"]),
        ("a" + "f" * 100, ["[UNK]"]),
        ("[MASK]", ["[UNK]", "[UNK]", "[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces(text, expected, tiny):
    file, pieces = tiny
    numbers = [pieces.index(piece) for piece in ["[CLS]", *expected, "[SEP]"]]
    assert WordPiece(file)(text) == numbers
    assert in_graph(file, [text]) == [numbers]


def test_of_a_long_text_beginning_and_end_stay(tiny):
    file, _ = tiny
    text = "a " * 4 + "film " * 9 + "! " * 3
    expected = [2, 5, 5, 5, 5, 13, 13, 13, 3]
    assert WordPiece(file)(text, max_length=9) == expected
    assert in_graph(file, [text, "a"], max_length=9) == [expected, [2, 5, 3]]


def test_a_gap_is_a_piece_where_it_is_asked_for(tiny):
    file, pieces = tiny
    text = "a[MASK] \ue000film [mask]"
    found = in_graph(file, [text], masks=True)[0]
    unknown = ["[UNK]"] * 3
    assert [pieces[n] for n in found] == ["[CLS]", "a", "[MASK]", "film", *unknown, "[SEP]"]


def test_graph_and_python_agree_on_nasty_texts():
    cut = WordPiece(FILE)
    for text, found in zip(NASTY, in_graph(FILE, NASTY), strict=True):
        assert found == cut(text), repr(text[:60])


def test_they_agree_on_every_character():
    cut = WordPiece(FILE)
    codes = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    texts = [f"a{chr(code)}b" for code in codes]
    numbers = in_graph(FILE, texts)
    assert [
        chr(c) for c, text, n in zip(codes, texts, numbers, strict=True) if cut(text) != n
    ] == []


def test_they_agree_on_bytes_that_are_no_text():
    random = np.random.default_rng(0)
    texts = [random.integers(0, 256, size, dtype="uint8").tobytes() for size in [20] * 3000]
    cut = WordPiece(FILE)
    assert in_graph(FILE, texts) == [cut(text) for text in texts]


def test_the_library_that_learned_the_pieces_cuts_so_too():
    tokenizers = pytest.importorskip("tokenizers")
    cut = WordPiece(FILE)
    theirs = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(cut.numbers, unk_token="[UNK]", max_input_chars_per_word=100)
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    for text in datasets.sample("imdb_reviews").inputs[:100]:
        assert theirs.encode(" ".join(wordpiece.split(text))).ids == cut(text, 10**6)[1:-1]


@pytest.mark.full_data
def test_graph_and_python_agree_on_every_test_review():
    cut, graph = WordPiece(FILE), tokenizing.WordPieceTokenizer(FILE)
    texts = datasets.load("imdb_reviews", "test").inputs
    assert len(texts) == 25_000
    for first in range(0, len(texts), 5000):
        some = list(texts[first : first + 5000])
        assert graph(tf.constant(some), 512).to_list() == [cut(text) for text in some]
