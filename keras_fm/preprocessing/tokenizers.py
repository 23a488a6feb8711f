"""From texts to numbers of words or pieces of words, in stock TensorFlow ops.

One way for training, `pipeline` and the exports, so that the served model reads a text as the
trained one did. 0 is padding, 1 a word that the vocabulary does not have.
"""

from pathlib import Path

import tensorflow as tf

from keras_fm.preprocessing import wordpiece

PAD_ID, UNK_ID, FIRST_WORD_ID = 0, 1, 2

_LINE, _NUMBER = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER


def split_words(texts: tf.Tensor, alone: str = r"[^\p{L}\p{M}\p{N}']") -> tf.RaggedTensor:
    """Lower-case words and single signs of texts `[batch]`, UTF-8: strings `[batch, (words)]`.

    Bytes that are not UTF-8, control characters, and HTML tags such as a review's line breaks stand
    for a space.

    Args:
        alone: a regular expression for the signs that are words of their own.
    """
    # Zero bytes too: TensorFlow would take the first for the end of the text.
    texts = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, wordpiece.TAGS, " ")
    texts = tf.strings.regex_replace(texts, alone, r" \0 ")
    return tf.strings.split(texts)


class WordTokenizer:
    """Numbers of words by a vocabulary file, one word a line; the first has number 2.

    `table` is what an export tracks; the file becomes its asset. `mask` stands for a hidden word.
    """

    mask = UNK_ID

    def __init__(self, file: Path) -> None:
        self.table = _table(file, default=UNK_ID - FIRST_WORD_ID)

    def __call__(self, texts: tf.Tensor, longest: int) -> tf.RaggedTensor:
        """int32 `[batch, (words)]` of texts `[batch]`; of one without a word, one unknown.

        Args:
            longest: how many words stay: of a longer text the first and the last half of them,
                for a review says what it thinks at its beginning and at its end.
        """
        numbers = tf.cast(self.table.lookup(split_words(texts)), tf.int32) + FIRST_WORD_ID
        empty = tf.cast(numbers.row_lengths() == 0, tf.int32)[:, None]
        nothing = tf.RaggedTensor.from_tensor(UNK_ID * empty, padding=0)
        return truncate_middle(tf.concat([numbers, nothing], axis=1), longest)


_ENDED, _FAILED = -1, -2  # in place of a piece: behind the word's last one, where there is none
_MASK = "\ue000"  # stands for "[MASK]" while a text is cut; no text has it, for it is a space there


class WordPieceTokenizer:
    """WordPiece numbers by a vocabulary file, one piece a line; see `wordpiece.WordPiece`.

    `table` is what an export tracks; the file becomes its asset.
    """

    def __init__(self, file: Path) -> None:
        self.table = _table(file, default=-1)
        pieces = file.read_text("utf-8").split("\n")
        self.longest_piece = max(map(len, pieces))
        self.unknown, self.begin, self.end, self.mask = map(
            pieces.index,
            (wordpiece.UNK_TOKEN, wordpiece.CLS_TOKEN, wordpiece.SEP_TOKEN, wordpiece.MASK_TOKEN),
        )

    def __call__(self, texts: tf.Tensor, longest: int, masks: bool = False) -> tf.RaggedTensor:
        """int32 `[batch, (pieces)]` of texts `[batch]`, begin and end among them.

        Args:
            longest: how many stay: of a longer text the first and the last half of them.
            masks: whether the word "[MASK]" in a text is the piece that a model fills in.
        """
        texts = tf.strings.regex_replace(texts, wordpiece.SPACES_RE2, " ")
        if masks:  # as a character that no text has now
            texts = tf.strings.regex_replace(texts, r"\[MASK\]", f" {_MASK} ")
        # A word is a piece or more, so the words in the middle of a very long text can go at once.
        words = truncate_middle(split_words(texts, wordpiece.SYMBOLS_RE2), 2 * longest)
        different, place = tf.unique(words.flat_values, tf.int64)
        pieces = tf.gather(self._cut(different), place)
        inside = truncate_middle(words.with_flat_values(pieces).merge_dims(1, 2), longest - 2)
        begin, end = (
            tf.fill(tf.stack([words.nrows(tf.int32), 1]), number)
            for number in (self.begin, self.end)
        )
        return tf.concat([begin, inside, end], axis=1)

    def _cut(self, words: tf.Tensor) -> tf.RaggedTensor:
        """The pieces of each word `[words]`: int32 `[words, (pieces)]`."""
        # One that is too long stays too long.
        words = tf.strings.substr(words, 0, wordpiece.MAX_WORD_LENGTH + 1, unit="UTF8_CHAR")
        lengths = tf.strings.length(words, "UTF8_CHAR")
        sizes = tf.range(1, self.longest_piece + 1)
        # A space behind each word, so that its end is a place inside it.
        padded = tf.strings.join([words, tf.fill(tf.shape(words), " ")])

        def cut(start: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """The longest piece at `start` in each word, -1 where there is none."""
            shape = tf.stack([tf.size(words), self.longest_piece])
            places, ends = tf.broadcast_to(start[:, None], shape), start[:, None] + sizes
            pieces = tf.strings.substr(
                tf.broadcast_to(padded[:, None], shape),
                places,
                tf.broadcast_to(sizes, shape),
                unit="UTF8_CHAR",
            )
            prefix = tf.where(places > 0, wordpiece.CONTINUATION_PREFIX, "")
            numbers = tf.cast(self.table.lookup(tf.strings.join([prefix, pieces])), tf.int32)
            known = (numbers >= 0) & (ends <= lengths[:, None])
            size = tf.reduce_max(tf.where(known, sizes, 0), axis=1)
            number = tf.gather(numbers, tf.maximum(size - 1, 0), batch_dims=1)
            number = tf.where(size > 0, number, tf.where(start < lengths, _FAILED, _ENDED))
            start = tf.where(size > 0, start + size, lengths)
            return start, tf.concat([found, number[:, None]], axis=1)

        too_long = lengths > wordpiece.MAX_WORD_LENGTH
        start = tf.where(too_long, lengths, tf.zeros_like(lengths))
        found = tf.where(too_long, _FAILED, _ENDED)[:, None]
        _, found = tf.while_loop(
            lambda start, found: tf.reduce_any(start < lengths),
            cut,
            [start, found],
            shape_invariants=[tf.TensorShape([None]), tf.TensorShape([None, None])],
        )
        # A word of which a part is in no piece is unknown as a whole.
        failed = tf.reduce_any(found == _FAILED, axis=1, keepdims=True)
        unknown = tf.where(failed, self.unknown, _ENDED)
        unknown = tf.where((words == _MASK)[:, None], self.mask, unknown)
        found = tf.concat([unknown, tf.where(failed, _ENDED, found)], axis=1)
        return tf.ragged.boolean_mask(found, found != _ENDED)


def _table(file: Path, default: int) -> tf.lookup.StaticHashTable:
    lines = tf.lookup.TextFileInitializer(str(file), tf.string, _LINE, tf.int64, _NUMBER)
    return tf.lookup.StaticHashTable(lines, default_value=default)


def truncate_middle(numbers: tf.RaggedTensor, longest: int) -> tf.RaggedTensor:
    """Leaves out the middle of rows that have more than `longest` numbers."""
    kept = tf.minimum(numbers.row_lengths(), longest)
    places = tf.ragged.range(kept)
    row = places.value_rowids()
    left_out = tf.gather(numbers.row_lengths() - kept, row)
    place = places.flat_values
    place += tf.where(place < (longest + 1) // 2, tf.zeros_like(place), left_out)
    place += tf.gather(numbers.row_starts(), row)
    return places.with_flat_values(tf.gather(numbers.flat_values, place))
