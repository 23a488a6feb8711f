"""Writes a model's vocabulary: the words or WordPiece tokens of its training texts, one a line.

    TFDS_DATA_DIR=... python tools/make_vocabulary.py lstm
    TFDS_DATA_DIR=... python tools/make_vocabulary.py mini_bert

The texts are those of the entry's split "vocabulary", which has no test text in it. Words are the
most frequent ones; tokens are learned by the `tokenizers` library, as the entry's `tokenizer` says.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.preprocessing import tokenizers, wordpiece

BATCH_SIZE = 5000
NUM_WORDS, NUM_TOKENS = 20_000, 8_192  # embeddings of multiples of 64 are fast
ALPHABET_SIZE = 120  # single characters; the others occur in a few texts
MEASURED_TEXTS = 5000


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
    """Write the most frequent words, and print their share of all words."""
    counts: Counter[bytes] = Counter()
    for batch in _batches(texts):
        counts.update(tokenizers.split_words(batch).flat_values.numpy())
    # By count, then by the word itself: a second run writes the same file.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:NUM_WORDS]
    file.write_bytes(b"".join(word + b"\n" for word, _ in ranked))
    share = sum(count for _, count in ranked) / counts.total()
    print(f"{file}: {len(ranked):,} of {len(counts):,} words, {share:.2%} of all that occur")


def write_tokens(file: Path, texts: Sequence[bytes]) -> None:
    """Write WordPiece tokens, and print how many a word has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=wordpiece.UNK_TOKEN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=NUM_TOKENS,
        special_tokens=list(wordpiece.SPECIAL_TOKENS),
        limit_alphabet=ALPHABET_SIZE,
        continuing_subword_prefix=wordpiece.CONTINUATION_PREFIX,
    )
    tokenizer.train_from_iterator(_split_texts(texts), trainer)
    ids = tokenizer.get_vocab()
    ranked = sorted(ids, key=ids.__getitem__)
    file.write_text("".join(f"{token}\n" for token in ranked), "utf-8")
    tokenize = tokenizers.WordPieceTokenizer(file)
    measured = texts[:: max(1, len(texts) // MEASURED_TEXTS)]
    num_tokens = sum(
        int(tokenize(batch, 10**6).flat_values.shape[0]) - 2 * len(batch)
        for batch in _batches(measured)
    )
    num_words = sum(len(text.split()) for text in _split_texts(measured))
    print(f"{file}: {len(ranked):,} tokens, {num_tokens / num_words:.3f} a word")


def _split_texts(texts: Sequence[bytes]) -> Iterator[str]:
    """Yield each text with a space between its words and symbols."""
    for batch in _batches(texts):
        spaced = tf.strings.regex_replace(batch, wordpiece.SPACES, " ")
        words = tokenizers.split_words(spaced, wordpiece.SYMBOLS)
        joined = tf.strings.reduce_join(words, axis=1, separator=" ")
        yield from (text.decode() for text in joined.numpy())


def _batches(texts: Sequence[bytes]) -> Iterator[tf.Tensor]:
    for start in range(0, len(texts), BATCH_SIZE):
        yield tf.constant(texts[start : start + BATCH_SIZE])


if __name__ == "__main__":
    main()
