"""Writes a model's vocabulary: the words or WordPiece tokens of its training texts, one a line.

    TFDS_DATA_DIR=... python tools/make_vocabulary.py lstm
    TFDS_DATA_DIR=... python tools/make_vocabulary.py mini_bert     # needs: pip install tokenizers

The texts are those of the entry's split "vocabulary", which has no test text in it. Words are the
most common ones; WordPiece tokens are trained by the `tokenizers` library. The entry's `tokenizer`
says which.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.preprocessing.texts import tokenizers, wordpiece

BATCH_SIZE = 5000
NUM_WORDS, NUM_TOKENS = 20_000, 8_192  # multiples of 64 make a fast embedding
ALPHABET_SIZE = 120  # characters; the others are rare


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model")
    options = parser.parse_args()
    package, _ = registry.find(options.model)
    texts = datasets.load(package.entry.dataset, package.entry.split("vocabulary")).inputs
    file = package.path / str(package.entry.vocabulary)
    (write_tokens if package.entry.tokenizer == "wordpiece" else write_words)(file, texts)


def write_words(file: Path, texts: Sequence[bytes]) -> None:
    """Write the most common words, and print their share of all."""
    counts: Counter[bytes] = Counter()
    for batch in _batches(texts):
        counts.update(tokenizers.split_words(tf.constant(batch)).flat_values.numpy())
    # By count, then by the word itself: a second run writes the same file.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:NUM_WORDS]
    file.write_bytes(b"".join(word + b"\n" for word, _ in ranked))
    known = sum(count for _, count in ranked) / counts.total()
    print(f"{file}: {len(ranked):,} of {len(counts):,} words, {known:.2%} of all occurrences")


def write_tokens(file: Path, texts: Sequence[bytes]) -> None:
    """Train WordPiece tokens and write them, and print how many of them a word has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=wordpiece.UNK_TOKEN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=NUM_TOKENS,
        special_tokens=list(wordpiece.SPECIAL_TOKENS),
        limit_alphabet=ALPHABET_SIZE,
        continuing_subword_prefix=wordpiece.CONTINUATION_PREFIX,
        show_progress=False,
    )
    words = (b" ".join(words).decode() for batch in _batches(texts) for words in _split(batch))
    tokenizer.train_from_iterator(words, trainer)
    token_ids = tokenizer.get_vocab()
    tokens = sorted(token_ids, key=token_ids.__getitem__)
    file.write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    subset = texts[:: max(1, len(texts) // BATCH_SIZE)]
    # Without the two special tokens of each text.
    encoded = tokenizers.WordPieceTokenizer(file)(tf.constant(subset), 10**6)
    num_tokens = int(tf.size(encoded.flat_values)) - 2 * len(subset)
    num_words = sum(map(len, _split(subset)))
    print(f"{file}: {len(tokens):,} tokens, {num_tokens / num_words:.3f} a word")


def _batches(texts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(texts), BATCH_SIZE):
        yield texts[start : start + BATCH_SIZE]


def _split(texts: Sequence[bytes]) -> list[list[bytes]]:
    """Split texts into words as `WordPieceTokenizer` does."""
    texts = tf.strings.regex_replace(tf.constant(texts), wordpiece.SPACES, " ")
    return tokenizers.split_words(texts, wordpiece.SYMBOLS).to_list()


if __name__ == "__main__":
    main()
