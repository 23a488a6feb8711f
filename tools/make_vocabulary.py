"""Writes a model's vocabulary: the words or pieces of words of its training texts, one a line.

    TFDS_DATA_DIR=... python tools/make_vocabulary.py lstm
    TFDS_DATA_DIR=... python tools/make_vocabulary.py mini_bert     # wants: pip install tokenizers

The texts are those of the entry's split "vocabulary", which has no test text in it. Words are the
most common ones; pieces are learned by the `tokenizers` library, as the entry's `tokenizer` says.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.preprocessing import tokenizers, wordpiece

AT_ONCE = 5000
WORDS, PIECES = 20_000, 8_192  # an embedding of multiples of 64 is quick
ALPHABET = 120  # single characters; the others come in a few texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model")
    options = parser.parse_args()
    room, _ = registry.find(options.model)
    texts = datasets.load(room.entry.dataset, room.entry.split("vocabulary")).inputs
    file = room.path / str(room.entry.vocabulary)
    (write_pieces if room.entry.tokenizer == "wordpiece" else write_words)(file, texts)


def write_words(file: Path, texts: Sequence[bytes]) -> None:
    """The most common words, and how many of all they are."""
    counts: Counter[bytes] = Counter()
    for first in range(0, len(texts), AT_ONCE):
        counts.update(
            tokenizers.split_words(tf.constant(texts[first : first + AT_ONCE])).flat_values.numpy()
        )
    # By count, then by the word itself: a second run writes the same file.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:WORDS]
    file.write_bytes(b"".join(word + b"\n" for word, _ in ranked))
    known = sum(count for _, count in ranked) / counts.total()
    print(f"{file}: {len(ranked):,} of {len(counts):,} words, {known:.2%} of all that come")


def write_pieces(file: Path, texts: Sequence[bytes]) -> None:
    """Pieces, and how many of them a word has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=wordpiece.UNK_TOKEN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=PIECES,
        special_tokens=list(wordpiece.SPECIAL_TOKENS),
        limit_alphabet=ALPHABET,
        continuing_subword_prefix=wordpiece.CONTINUATION_PREFIX,
    )
    tokenizer.train_from_iterator((" ".join(wordpiece.split(text)) for text in texts), trainer)
    pieces = tokenizer.get_vocab()
    ranked = sorted(pieces, key=pieces.__getitem__)
    file.write_text("".join(f"{piece}\n" for piece in ranked), "utf-8")
    cut = wordpiece.WordPiece(file)
    some = texts[:: max(1, len(texts) // AT_ONCE)]
    numbers = sum(len(cut(text, 10**6)) - 2 for text in some)
    words = sum(len(wordpiece.split(text)) for text in some)
    print(f"{file}: {len(ranked):,} pieces, {numbers / words:.3f} a word")


if __name__ == "__main__":
    main()
