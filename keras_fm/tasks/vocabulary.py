"""What tasks on texts share: the room's vocabulary, and texts as numbers of words or pieces."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_fm import registry
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import graph_checks, tokenizers, vocabulary

TOKENIZE_BATCH = 5000  # texts that are split into words at once: a hundred megabytes of words


def vocabulary_file(identity: ModelSpec) -> Path:
    """The file in the model's room with a word or piece a line."""
    room, _ = registry.find(identity.entry.name)
    return room.path / str(identity.entry.vocabulary)


def tokenizer(identity: ModelSpec) -> tokenizers.WordTokenizer | tokenizers.WordPieceTokenizer:
    """What numbers the words or pieces of texts, in a graph or outside one."""
    kind = (
        tokenizers.WordPieceTokenizer
        if identity.entry.tokenizer == "wordpiece"
        else tokenizers.WordTokenizer
    )
    return kind(vocabulary_file(identity))


def vocabulary_size(identity: ModelSpec) -> int:
    """How many numbers there are, those of padding and of the unknown among them."""
    return vocabulary.vocabulary_size(vocabulary_file(identity), identity.entry.tokenizer)


def token_names(identity: ModelSpec) -> list[str]:
    """The word or piece of each number."""
    return vocabulary.token_names(vocabulary_file(identity), identity.entry.tokenizer)


def check_texts(examples: Examples) -> None:
    """Raises a `DataError` where the inputs are not texts."""
    given = np.asarray(examples.inputs)
    if given.ndim != 1 or not len(given) or given.dtype.kind not in "OSU":
        raise DataError(
            f"{examples.description}: expected texts [examples]; received {given.dtype} "
            f"{list(given.shape)}"
        )


def check_token_ids(text_ids: tf.Tensor, identity: ModelSpec) -> tf.Tensor:
    """The numbers `[batch, length]` in a graph as they are: some in each row, then padding alone.

    Raises:
        tf.errors.InvalidArgumentError: which row is no such text.
    """
    last = vocabulary_size(identity) - 1
    known = (text_ids >= tokenizers.PAD_ID) & (text_ids <= last)
    is_word = text_ids != tokenizers.PAD_ID
    ordered = tf.concat([is_word[:, :1], is_word[:, :-1] | ~is_word[:, 1:]], axis=1)
    return graph_checks.assert_rows(
        text_ids,
        tf.reduce_all(known & ordered, axis=1),
        "text_ids",
        f"numbers from 1 to {last}, and {tokenizers.PAD_ID} behind them alone",
        lambda: tf.strings.reduce_join(graph_checks.as_text(text_ids), axis=1, separator=" "),
    )


def token_id_rows(identity: ModelSpec, examples: Examples, longest: int) -> np.ndarray:
    """Each text as an array of its words' or pieces' numbers, int32, of its own length.

    Args:
        longest: how many of a text stay, as `tokenizing` says.
    """
    tokenize = tokenizer(identity)
    numbered: list[np.ndarray] = []
    for first in range(0, len(examples), TOKENIZE_BATCH):
        some = tf.constant(list(examples.inputs[first : first + TOKENIZE_BATCH]), tf.string)
        numbers = tokenize(some, longest)
        numbered += np.split(numbers.flat_values.numpy(), numbers.row_splits.numpy()[1:-1])
    inputs = np.empty(len(numbered), object)
    inputs[:] = numbered
    return inputs
