"""Vocabulary files, with a word or a token a line; without TensorFlow.

The IDs of the words of a file begin at `FIRST_WORD_ID`; a WordPiece vocabulary has the padding and
the unknown token among its own first lines.
"""

from pathlib import Path

from keras_fm.preprocessing.texts.wordpiece import PAD_TOKEN, UNK_TOKEN

PAD_ID, UNK_ID, FIRST_WORD_ID = 0, 1, 2


def vocabulary_size(file: Path, tokenizer: str) -> int:
    """Return the number of token IDs, those of the padding and of the unknown token among them.

    Args:
        file: The vocabulary.
        tokenizer: "words" or "wordpiece", as the entry says.
    """
    num_lines = file.read_bytes().count(b"\n")
    return num_lines if tokenizer == "wordpiece" else FIRST_WORD_ID + num_lines


def token_names(file: Path, tokenizer: str) -> list[str]:
    """List the token of each ID.

    Args:
        file: The vocabulary.
        tokenizer: "words" or "wordpiece", as the entry says.
    """
    # Not `splitlines`: a word can hold a separator that is none of a line here.
    lines = file.read_text("utf-8").split("\n")[:-1]
    return lines if tokenizer == "wordpiece" else [PAD_TOKEN, UNK_TOKEN, *lines]
