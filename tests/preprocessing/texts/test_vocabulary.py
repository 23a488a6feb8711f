import helpers

from keras_fm.preprocessing.texts import vocabulary


def write(folder, lines):
    file = folder / "vocabulary.txt"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")
    return file


def test_padding_and_unknown_come_before_words(tmp_path):
    file = write(tmp_path, ["the", "é", "a\u2028b"])  # a line separator is a part of its word
    assert vocabulary.vocabulary_size(file, "words") == 5
    names = vocabulary.token_names(file, "words")
    assert names == ["[PAD]", "[UNK]", "the", "é", "a\u2028b"]
    assert names.index("the") == vocabulary.FIRST_WORD_ID
    assert [names[vocabulary.PAD_ID], names[vocabulary.UNK_ID]] == ["[PAD]", "[UNK]"]


def test_wordpiece_has_its_own_special_tokens(tmp_path):
    file = write(tmp_path, ["[PAD]", "[UNK]", "a", "##b"])
    assert vocabulary.vocabulary_size(file, "wordpiece") == 4
    assert vocabulary.token_names(file, "wordpiece") == ["[PAD]", "[UNK]", "a", "##b"]


def test_no_import_of_tensorflow():
    code = "import sys, keras_fm.preprocessing.texts.vocabulary; print('tensorflow' in sys.modules)"
    assert helpers.python(code).stdout.strip() == "False"
