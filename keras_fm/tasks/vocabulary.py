"""What tasks on texts share: the vocabulary of the model's package, and its tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.lazy_imports import has_tensorflow, tf
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import graph_checks
from keras_fm.preprocessing.texts.python_tokenizers import (
    PythonTokenizer,
    PythonWordPieceTokenizer,
    PythonWordTokenizer,
)
from keras_fm.preprocessing.texts.tokenizers import WordPieceTokenizer, WordTokenizer
from keras_fm.preprocessing.texts.vocabulary import PAD_ID, token_names
from keras_fm.preprocessing.texts.wordpiece import UNK_TOKEN

TOKENIZE_BATCH = 5000  # texts that are tokenized at once: a hundred megabytes of words


class Vocabulary:
    """The tokens of one model. What it reads from the file, it reads once.

    Args:
        spec: The model's specification, whose entry names a vocabulary.
    """

    def __init__(self, spec: ModelSpec) -> None:
        """See the class."""
        self.file = spec.vocabulary_file
        self.kind = spec.entry.tokenizer
        self.size = spec.vocabulary_size or 0
        self._graphs: dict[int, Callable[[tf.Tensor], tf.RaggedTensor]] = {}  # by max_length

    @cached_property
    def tokenizer(self) -> Any:
        """From texts to token IDs, in a graph or outside one."""
        return (WordPieceTokenizer if self.kind == "wordpiece" else WordTokenizer)(self.file)

    @cached_property
    def _python_tokenizer(self) -> PythonTokenizer:
        is_wordpiece = self.kind == "wordpiece"
        return (PythonWordPieceTokenizer if is_wordpiece else PythonWordTokenizer)(self.file)

    @cached_property
    def tokens(self) -> list[str]:
        """The token of each ID."""
        return token_names(self.file, self.kind)

    @property
    def mask_id(self) -> int:
        """The ID of the mask token."""
        return self.tokenizer.mask_id

    @property
    def frame_ids(self) -> tuple[int, ...]:
        """The IDs of the tokens that begin and end each text; none without such tokens."""
        return self.tokenizer.frame_ids

    def token_ids(self, texts: Any, max_length: int) -> np.ndarray:
        """Return each text's token IDs, int32, an array of its own length.

        Args:
            texts: UTF-8, `[texts]`.
            max_length: How many of a text are kept, as its tokenizer says.
        """
        tokenize = self._token_ids if has_tensorflow() else self._token_ids_in_python
        rows = np.empty(len(texts), object)
        rows[:] = tokenize(texts, max_length)
        return rows

    def _token_ids(self, texts: Any, max_length: int) -> list[np.ndarray]:
        token_ids: list[np.ndarray] = []
        for start in range(0, len(texts), TOKENIZE_BATCH):
            batch = tf.constant(list(texts[start : start + TOKENIZE_BATCH]), tf.string)
            ragged = self._tokenize(max_length)(batch)
            token_ids += np.split(ragged.flat_values.numpy(), ragged.row_splits.numpy()[1:-1])
        return token_ids

    def _token_ids_in_python(self, texts: Any, max_length: int) -> list[np.ndarray]:
        return [self._python_tokenizer.token_ids(text, max_length) for text in texts]

    def _tokenize(self, max_length: int) -> Callable[[tf.Tensor], tf.RaggedTensor]:
        """Return the tokenizer, from the second call on as one graph, which is traced once.

        Its hundreds of operations, called one by one, take ten times as long for a text, and more
        than most models; to trace them takes as long as twenty texts.
        """
        if max_length not in self._graphs:
            tokenize = partial(self.tokenizer, max_length=max_length)
            self._graphs[max_length] = tf.function(
                tokenize, [tf.TensorSpec([None], tf.string)], autograph=False
            )
            return tokenize
        return self._graphs[max_length]

    def features(self, text: bytes, max_length: int) -> tuple[str, ...]:
        """Return the tokens of a text as its reader knows them: an unknown one is the word itself.

        Args:
            text: UTF-8.
            max_length: As in `token_ids`.
        """
        batch = tf.constant([text], tf.string)
        token_ids = self.tokenizer(batch, max_length)[0].numpy()
        words = self.tokenizer.token_words(batch, max_length)[0].numpy()
        return tuple(
            word.decode("utf-8") if self.tokens[token_id] == UNK_TOKEN else self.tokens[token_id]
            for token_id, word in zip(token_ids, words, strict=True)
        )

    def check_token_ids(self, text_ids: tf.Tensor) -> tf.Tensor:
        """Return token IDs `[batch, length]` as they are, in a graph: some a row, then padding.

        Raises:
            tf.errors.InvalidArgumentError: A row is no such text.
        """
        known = (text_ids >= PAD_ID) & (text_ids < self.size)
        is_token = text_ids != PAD_ID
        ordered = tf.concat([is_token[:, :1], is_token[:, :-1] | ~is_token[:, 1:]], axis=1)
        return graph_checks.assert_rows(
            text_ids,
            tf.reduce_all(known & ordered, axis=1),
            "text_ids",
            f"numbers from 1 to {self.size - 1}, and {PAD_ID} behind them alone",
            lambda: tf.strings.reduce_join(graph_checks.as_text(text_ids), axis=1, separator=" "),
        )


class TokenizedTexts:
    """The part of a task's data that reads texts by the model's vocabulary."""

    spec: ModelSpec

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the model."""
        return Vocabulary(self.spec)

    @property
    def max_length(self) -> int:
        """How many tokens of a text the model reads."""
        return self.spec.inputs[0].max_length or 512


def check_texts(examples: Examples) -> None:
    """Raise a `DataError` where the inputs are not texts."""
    texts = np.asarray(examples.inputs)
    if texts.ndim != 1 or not len(texts) or texts.dtype.kind not in "OSU":
        raise DataError(
            f"{examples.description}: expected texts [examples]; received {texts.dtype} "
            f"{list(texts.shape)}"
        )
