"""What a served model of characters does: strings in; the next character, or a whole text, out.

One TensorFlow graph does it for the pipeline and for the export. Text is UTF-8; bytes that are not
become U+FFFD, which no vocabulary has, and a character that the model does not know is number 0.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_fm.data.character_texts import UNKNOWN_ID
from keras_fm.preprocessing import graph_checks, lookup_tables

# A text counts as the beginning of a line: so an empty prompt has something that comes before.
START = "\n"
# Characters of a text that is read or written. Each is a step through the whole model, whose states
# are kept: a server can run out of time and of memory by one request.
MAX_LENGTH = 4000
LOG_2 = 0.6931471805599453


class CharacterTables:
    """From code points to the model's numbers and back.

    Read from `characters.txt`, which becomes an asset of the export: a line a character, its code
    point and what it is.

    Args:
        known: the characters of the vocabulary; the first has number 1.
        folder: where the file is written.
    """

    def __init__(self, known: Sequence[str], folder: Path) -> None:
        file = folder / "characters.txt"
        file.write_text("".join(f"{ord(one)}\t{one!a}\n" for one in known), "utf-8")
        self.numbers = lookup_tables.index_of_code(file)
        self.codes = lookup_tables.code_of_index(file, default=0xFFFD)
        self.start = known.index(START) + 1 if START in known else UNKNOWN_ID

    def encode(self, text: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings `[batch]` to numbers `[batch, longest]`, the start before each; and lengths.

        Raises:
            tf.errors.InvalidArgumentError: one of the input `name` has more than `LONGEST`.
        """
        codes = tf.strings.unicode_decode(text, "UTF-8")
        lengths = codes.row_lengths()
        known = graph_checks.assert_rows(
            codes.flat_values,
            lengths <= MAX_LENGTH,
            name,
            f"at most {MAX_LENGTH:,} characters",
            lambda: lengths,
        )
        numbers = codes.with_flat_values(
            tf.cast(self.numbers.lookup(tf.cast(known, tf.int64)) + 1, tf.int32)
        )
        start = tf.fill((tf.shape(text)[0], 1), self.start)
        dense = tf.concat([start, numbers.to_tensor(UNKNOWN_ID)], axis=1)
        return dense, tf.cast(numbers.row_lengths(), tf.int32) + 1

    def decode(self, numbers: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """The first `lengths` numbers of each row to strings `[batch]`."""
        codes = tf.cast(self.codes.lookup(tf.cast(numbers, tf.int64) - 1), tf.int32)
        ragged = tf.RaggedTensor.from_tensor(codes, lengths=lengths, row_splits_dtype=tf.int64)
        return tf.strings.unicode_encode(ragged, "UTF-8")


def score_text(
    model: keras.Model, tables: CharacterTables, text: tf.Tensor
) -> dict[str, tf.Tensor]:
    """What comes next, and how well the model foresees each text.

    Args:
        text: strings `[batch]`.

    Returns:
        `probabilities` of the known characters to come next, float32 `[batch, characters]`;
        `label`, the most probable, string `[batch]`; `bits_per_character` of the text, float32
        `[batch]`, with the beginning of a line before it, 0 for an empty one.
    """
    numbers, lengths = tables.encode(text, "text")
    logits = tf.cast(model(numbers, training=False), tf.float32)
    last = tf.gather(logits, lengths - 1, batch_dims=1)
    likely = tf.nn.log_softmax(logits[:, :-1])
    bits = -tf.gather(likely, numbers[:, 1:], batch_dims=2) / LOG_2
    answered = tf.sequence_mask(lengths - 1, tf.shape(bits)[1], tf.float32)
    best = tf.argmax(last[:, 1:], axis=-1, output_type=tf.int32) + 1
    return {
        "probabilities": tf.nn.softmax(last[:, 1:]),
        "label": tables.decode(best[:, None], tf.ones_like(lengths)),
        "bits_per_character": tf.reduce_sum(bits * answered, 1)
        / tf.maximum(tf.cast(lengths - 1, tf.float32), 1.0),
    }


def generate_text(
    model: keras.Model,
    tables: CharacterTables,
    prompt: tf.Tensor,
    length: tf.Tensor,
    temperature: tf.Tensor,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Goes on with each prompt, a character at a time, the model's state carried along.

    A row's text depends on its own prompt and numbers alone, not on its place in the batch: a
    server may put requests together.

    Args:
        prompt: strings `[batch]`.
        length: of the text to write, in characters, int32 `[batch]`, or `[1]` for all.
        temperature: divides the logits: below 1 is safer, above is wilder, 0 always takes the
            most probable character; float32 `[batch]` or `[1]`.
        seed: the same one writes the same text; int32 `[batch]` or `[1]`.

    Returns:
        The texts without their prompts, string `[batch]`.

    Raises:
        tf.errors.InvalidArgumentError: a length below 0 or a length or prompt above `LONGEST`, a
            temperature below 0 or not finite, a seed below 0.
    """
    rows = tf.shape(prompt)
    length, temperature, seed = (
        tf.broadcast_to(given, rows) for given in (length, temperature, seed)
    )
    prompt, length, temperature, seed = _check_options(prompt, length, temperature, seed)
    numbers, lengths = tables.encode(prompt, "prompt")
    logits, states = _read_prompts(model, numbers, lengths)
    longest = tf.reduce_max(tf.concat([length, [0]], 0))
    chances = _probabilities(seed, longest)

    def go_on(now: Any, logits: Any, states: Any, written: Any) -> Any:
        number = _sample(logits, temperature, chances[:, now])
        logits, states = _step(model, number, states)
        return now + 1, logits, states, written.write(now, number)

    # TensorFlow does not stack an array of nothing: one row more, also where there is none else.
    written = tf.TensorArray(tf.int32, size=longest + 1, element_shape=(None,))
    written = written.write(longest, tf.zeros(rows, tf.int32))
    *_, written = tf.while_loop(lambda now, *_: now < longest, go_on, (0, logits, states, written))
    return tables.decode(tf.transpose(written.stack()), tf.cast(length, tf.int64))


def _check_options(
    prompt: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
) -> Any:
    """All of them as they are: none is looked at before each is as `write` wants it."""
    given = [prompt, length, temperature, seed]
    warm = (temperature >= 0) & tf.math.is_finite(temperature)
    for name, option, holds, expected in (
        ("length", length, (length >= 0) & (length <= MAX_LENGTH), f"0 to {MAX_LENGTH:,}"),
        ("temperature", temperature, warm, "0.0 or above"),
        ("seed", seed, seed >= 0, "0 or above"),
    ):
        given = graph_checks.assert_rows(given, holds, name, expected, partial(tf.identity, option))
    return given


def _step(model: keras.Model, numbers: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
    """One character `[batch]` further: its logits `[batch, characters]`, and each layer's state.

    The model is a chain of layers, and its recurrent ones have cells that take a step.
    """
    x, before, states = numbers, iter(states), []
    for layer in model.layers[1:]:
        if isinstance(layer, keras.layers.RNN):
            x, state = layer.cell(x, next(before), training=False)
            states.append(state)
        else:
            x = layer(x, training=False)
    return tf.cast(x, tf.float32), states


def _read_prompts(model: keras.Model, numbers: tf.Tensor, lengths: tf.Tensor) -> Any:
    """The logits behind each row's last character, and the states there."""
    rows = tf.shape(numbers)[0]
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    states = [layer.get_initial_state(rows) for layer in layers]
    states = tf.nest.map_structure(
        lambda state: tf.ensure_shape(state, (None, state.shape[-1])), states
    )

    def read_on(now: Any, logits: Any, states: Any) -> Any:
        reading = (now < lengths)[:, None]
        new = _step(model, numbers[:, now], states)
        kept = tf.nest.map_structure(
            lambda after, before: tf.where(reading, after, before), new, (logits, states)
        )
        return now + 1, *kept

    longest = tf.shape(numbers)[1]
    logits = tf.zeros((rows, model.output.shape[-1]))
    _, logits, states = tf.while_loop(lambda now, *_: now < longest, read_on, (0, logits, states))
    return logits, states


def _probabilities(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """For each seed the same random numbers in [0, 1), `[batch, count]`, on any machine."""
    rows = tf.map_fn(
        lambda seed: tf.random.stateless_uniform((count,), (seed, 0), alg="philox"),
        tf.concat([seeds, [0]], 0),  # one more, as an empty array can't be stacked
        fn_output_signature=tf.TensorSpec((None,), tf.float32),
    )
    return rows[:-1]


def _sample(logits: tf.Tensor, temperature: tf.Tensor, chance: tf.Tensor) -> tf.Tensor:
    """A known character for each row: where `chance` falls among the probabilities."""
    known = logits[:, 1:]
    known -= tf.reduce_max(known, axis=-1, keepdims=True)
    summed = tf.cumsum(tf.nn.softmax(known / tf.maximum(temperature, 1e-6)[:, None]), axis=-1)
    drawn = tf.reduce_sum(tf.cast(summed <= chance[:, None], tf.int32), axis=-1)
    drawn = tf.minimum(drawn, tf.shape(known)[1] - 1)  # where rounding let the sum stay below 1
    best = tf.argmax(known, axis=-1, output_type=tf.int32)
    return tf.where(temperature > 0, drawn, best) + 1
