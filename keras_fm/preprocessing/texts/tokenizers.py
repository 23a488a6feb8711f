"""Tokenizers in stock TensorFlow ops: texts to the IDs of words, or of WordPiece tokens.

Training, `pipeline` and the exports share them, so that a served model reads a text as the trained
one did. ID 0 is padding, 1 the unknown token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_fm.lazy_imports import has_tensorflow, tf
from keras_fm.preprocessing.lookup_tables import index_of_line
from keras_fm.preprocessing.texts import wordpiece
from keras_fm.preprocessing.texts.vocabulary import FIRST_WORD_ID, UNK_ID, token_names
from keras_fm.preprocessing.texts.wordpiece import UNK_TOKEN


def split_words(texts: tf.Tensor, symbols: str = r"[^\p{L}\p{M}\p{N}']") -> tf.RaggedTensor:
    """Split texts `[batch]`, UTF-8, into lower-case words and symbols, strings `[batch, (words)]`.

    Bytes that are not UTF-8, control characters, and HTML tags such as line breaks count as spaces.

    Args:
        texts: strings.
        symbols: A regular expression for the characters that are words of their own.
    """
    # Zero bytes too: TensorFlow would take the first for the end of the text.
    texts = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, wordpiece.TAGS, " ")
    texts = tf.strings.regex_replace(texts, symbols, r" \0 ")
    return tf.strings.split(texts)


class WordTokenizer:
    """Tokenizer of words by a vocabulary file, one word a line; the first has ID 2.

    An export tracks `lookup_table`, whose file becomes an asset. `mask_id` stands for a masked
    word.
    """

    mask_id = UNK_ID
    frame_ids: tuple[int, ...] = ()  # of tokens that begin and end each text

    def __init__(self, file: Path) -> None:
        """Create the tokenizer of a vocabulary file."""
        # Here: in a function of TensorFlow it would be a part of its graph.
        self.lookup_table: Any = (
            index_of_line(file, UNK_ID - FIRST_WORD_ID) if has_tensorflow() else None
        )

    def __call__(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Tokenize texts `[batch]`: int32 `[batch, (words)]`; of one without words, one unknown.

        Args:
            texts: Strings, UTF-8.
            max_length: How many words stay of a longer text: the first and the last half of them,
                for a review says its verdict at the beginning and at the end.
        """
        word_ids = tf.cast(self.lookup_table.lookup(split_words(texts)), tf.int32) + FIRST_WORD_ID
        is_empty = tf.cast(word_ids.row_lengths() == 0, tf.int32)[:, None]
        unknown = tf.RaggedTensor.from_tensor(UNK_ID * is_empty, padding=0)
        return truncate_middle(tf.concat([word_ids, unknown], axis=1), max_length)

    def token_words(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return the word of each token, strings `[batch, (words)]`; see `__call__`."""
        words = split_words(texts)
        is_empty = tf.cast(words.row_lengths() == 0, tf.int32)[:, None]
        unknown = tf.RaggedTensor.from_tensor(
            tf.fill(tf.shape(is_empty), UNK_TOKEN), lengths=is_empty[:, 0]
        )
        return truncate_middle(tf.concat([words, unknown], axis=1), max_length)


_WORD_END, _NO_MATCH = -1, -2  # in place of token IDs
# Stands for "[MASK]" while a text is split; no text has it, for it counts as a space there.
_MASK_CHARACTER = "\ue000"


class WordPieceTokenizer:
    """WordPiece tokenizer by a vocabulary file, one token a line, the special tokens first.

    A word is split into the longest tokens of the vocabulary, from its beginning on. An export
    tracks `lookup_table`, whose file becomes an asset.
    """

    def __init__(self, file: Path) -> None:
        """Create the tokenizer of a vocabulary file."""
        self.lookup_table: Any = index_of_line(file) if has_tensorflow() else None  # as above
        tokens = token_names(file, "wordpiece")
        self.max_token_length = max(map(len, tokens))
        self.unk_id, self.cls_id, self.sep_id, self.mask_id = map(
            tokens.index,
            (wordpiece.UNK_TOKEN, wordpiece.CLS_TOKEN, wordpiece.SEP_TOKEN, wordpiece.MASK_TOKEN),
        )
        self.frame_ids = (self.cls_id, self.sep_id)

    def __call__(
        self, texts: tf.Tensor, max_length: int, parse_masks: bool = False
    ) -> tf.RaggedTensor:
        """Tokenize texts `[batch]`: int32 `[batch, (tokens)]`, with `[CLS]` and `[SEP]`.

        Args:
            texts: Strings, UTF-8.
            max_length: How many tokens stay of a longer text: the first and the last half of them.
            parse_masks: Whether "[MASK]" in a text becomes the mask, for a model to fill.
        """
        texts = tf.strings.regex_replace(texts, wordpiece.SPACES, " ")
        if parse_masks:
            texts = tf.strings.regex_replace(texts, r"\[MASK\]", f" {_MASK_CHARACTER} ")
        # A word is a token or more, so the words in the middle of a very long text can go at once.
        words = truncate_middle(split_words(texts, wordpiece.SYMBOLS), 2 * max_length)
        unique_words, index = tf.unique(words.flat_values, tf.int64)
        tokens = tf.gather(self._split_into_tokens(unique_words), index)
        inner = truncate_middle(words.with_flat_values(tokens).merge_dims(1, 2), max_length - 2)
        begin, end = (
            tf.fill(tf.stack([words.nrows(tf.int32), 1]), token_id)
            for token_id in (self.cls_id, self.sep_id)
        )
        return tf.concat([begin, inner, end], axis=1)

    def token_words(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return the word that each token is of, strings `[batch, (tokens)]`; see `__call__`."""
        texts = tf.strings.regex_replace(texts, wordpiece.SPACES, " ")
        words = truncate_middle(split_words(texts, wordpiece.SYMBOLS), 2 * max_length)
        tokens = self._split_into_tokens(words.flat_values)
        of_tokens = tokens.with_flat_values(tf.repeat(words.flat_values, tokens.row_lengths()))
        inner = truncate_middle(words.with_flat_values(of_tokens).merge_dims(1, 2), max_length - 2)
        begin, end = (
            tf.fill(tf.stack([words.nrows(tf.int32), 1]), token)
            for token in (wordpiece.CLS_TOKEN, wordpiece.SEP_TOKEN)
        )
        return tf.concat([begin, inner, end], axis=1)

    def _split_into_tokens(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Tokenize words `[words]`: int32 `[words, (tokens)]`."""
        # One that is too long stays too long.
        words = tf.strings.substr(words, 0, wordpiece.MAX_WORD_LENGTH + 1, unit="UTF8_CHAR")
        lengths = tf.strings.length(words, "UTF8_CHAR")
        sizes = tf.range(1, self.max_token_length + 1)
        # A space behind each word, so that its end is a position inside it.
        padded = tf.strings.join([words, tf.fill(tf.shape(words), " ")])

        def match(start: tf.Tensor, token_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """Append the longest token at `start` in each word."""
            shape = tf.stack([tf.size(words), self.max_token_length])
            starts, ends = tf.broadcast_to(start[:, None], shape), start[:, None] + sizes
            candidates = tf.strings.substr(
                tf.broadcast_to(padded[:, None], shape),
                starts,
                tf.broadcast_to(sizes, shape),
                unit="UTF8_CHAR",
            )
            prefix = tf.where(starts > 0, wordpiece.CONTINUATION_PREFIX, "")
            ids = tf.cast(self.lookup_table.lookup(tf.strings.join([prefix, candidates])), tf.int32)
            is_known = (ids >= 0) & (ends <= lengths[:, None])
            size = tf.reduce_max(tf.where(is_known, sizes, 0), axis=1)
            token_id = tf.gather(ids, tf.maximum(size - 1, 0), batch_dims=1)
            token_id = tf.where(size > 0, token_id, tf.where(start < lengths, _NO_MATCH, _WORD_END))
            start = tf.where(size > 0, start + size, lengths)
            return start, tf.concat([token_ids, token_id[:, None]], axis=1)

        too_long = lengths > wordpiece.MAX_WORD_LENGTH
        start = tf.where(too_long, lengths, tf.zeros_like(lengths))
        token_ids = tf.where(too_long, _NO_MATCH, _WORD_END)[:, None]
        _, token_ids = tf.while_loop(
            lambda start, token_ids: tf.reduce_any(start < lengths),
            match,
            [start, token_ids],
            shape_invariants=[tf.TensorShape([None]), tf.TensorShape([None, None])],
        )
        # A word of which a part is in no token is unknown as a whole.
        is_unknown = tf.reduce_any(token_ids == _NO_MATCH, axis=1, keepdims=True)
        special = tf.where(is_unknown, self.unk_id, _WORD_END)
        special = tf.where((words == _MASK_CHARACTER)[:, None], self.mask_id, special)
        token_ids = tf.concat([special, tf.where(is_unknown, _WORD_END, token_ids)], axis=1)
        return tf.ragged.boolean_mask(token_ids, token_ids != _WORD_END)


def truncate_middle(token_ids: tf.RaggedTensor, max_length: int) -> tf.RaggedTensor:
    """Drop the middle of rows that have more than `max_length` elements."""
    new_lengths = tf.minimum(token_ids.row_lengths(), max_length)
    positions = tf.ragged.range(new_lengths)
    row = positions.value_rowids()
    num_dropped = tf.gather(token_ids.row_lengths() - new_lengths, row)
    position = positions.flat_values
    is_first_half = position < (max_length + 1) // 2
    position += tf.where(is_first_half, tf.zeros_like(position), num_dropped)
    position += tf.gather(token_ids.row_starts(), row)
    return positions.with_flat_values(tf.gather(token_ids.flat_values, position))
