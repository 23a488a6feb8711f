"""What a served character model computes: the next character of texts, or whole continuations.

One TensorFlow graph does it for the pipeline and for the export. Text is UTF-8; bytes that are not
become U+FFFD, which no vocabulary has, and a character that the model does not know has ID 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_fm.data.character_texts import UNKNOWN_ID
from keras_fm.layers import TransformerDecoder
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks, lookup_tables
from keras_fm.tasks.text_generation.codec import MAX_LENGTH

# A text counts as the beginning of a line: so an empty prompt has something that comes before.
START = "\n"
LOG_2 = 0.6931471805599453


class CharacterTables:
    """Lookup tables from code points to the model's IDs and back.

    They are read from `characters.txt`, which becomes an asset of the export: a line a character,
    its code point and what it is.

    Args:
        characters: The vocabulary; the first character has ID 1.
        folder: Where the file is written.
    """

    def __init__(self, characters: Sequence[str], folder: Path) -> None:
        """See the class."""
        file = folder / "characters.txt"
        lines = (f"{ord(character)}\t{character!a}\n" for character in characters)
        file.write_text("".join(lines), "utf-8")
        self.ids = lookup_tables.index_of_code(file)
        self.codes = lookup_tables.code_of_index(file, default=0xFFFD)
        self.start_id = characters.index(START) + 1 if START in characters else UNKNOWN_ID

    def encode(self, text: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode strings `[batch]` as IDs `[batch, length]`, the start before each; and lengths.

        Raises:
            tf.errors.InvalidArgumentError: A row of the input `name` has more than `MAX_LENGTH`.
        """
        codes = tf.strings.unicode_decode(text, "UTF-8")
        lengths = codes.row_lengths()
        values = graph_checks.assert_rows(
            codes.flat_values,
            lengths <= MAX_LENGTH,
            name,
            f"at most {MAX_LENGTH:,} characters",
            lambda: lengths,
        )
        ids = codes.with_flat_values(
            tf.cast(self.ids.lookup(tf.cast(values, tf.int64)) + 1, tf.int32)
        )
        start = tf.fill((tf.shape(text)[0], 1), self.start_id)
        dense = tf.concat([start, ids.to_tensor(UNKNOWN_ID)], axis=1)
        return dense, tf.cast(ids.row_lengths(), tf.int32) + 1

    def decode(self, ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Decode the first `lengths` IDs of each row to strings `[batch]`."""
        codes = tf.cast(self.codes.lookup(tf.cast(ids, tf.int64) - 1), tf.int32)
        ragged = tf.RaggedTensor.from_tensor(codes, lengths=lengths, row_splits_dtype=tf.int64)
        return tf.strings.unicode_encode(ragged, "UTF-8")


def score_text(
    model: keras.Model, tables: CharacterTables, text: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Predict the next character of each text, and score the text.

    Args:
        model: The character model.
        tables: Its lookup tables.
        text: Strings `[batch]`.

    Returns:
        `probabilities` of the next character, float32 `[batch, characters]`; `label`, the most
        probable one, string `[batch]`; `bits_per_character` of the text, float32 `[batch]`, with
        the beginning of a line before it, 0 for an empty one.
    """
    ids, lengths = tables.encode(text, "text")
    logits = tf.cast(model(ids, training=False), tf.float32)
    last = tf.gather(logits, lengths - 1, batch_dims=1)
    log_probabilities = tf.nn.log_softmax(logits[:, :-1])
    bits = -tf.gather(log_probabilities, ids[:, 1:], batch_dims=2) / LOG_2
    mask = tf.sequence_mask(lengths - 1, tf.shape(bits)[1], tf.float32)
    best = tf.argmax(last[:, 1:], axis=-1, output_type=tf.int32) + 1
    return {
        "probabilities": tf.nn.softmax(last[:, 1:]),
        "label": tables.decode(best[:, None], tf.ones_like(lengths)),
        "bits_per_character": tf.reduce_sum(bits * mask, 1)
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
    """Continue each prompt, a character at a time, the model's state carried along.

    A row's text depends on its own prompt and numbers alone, not on its place in the batch: a
    server may put requests together.

    Args:
        model: The character model.
        tables: Its lookup tables.
        prompt: Strings `[batch]`.
        length: Of the continuation, in characters, int32 `[batch]`, or `[1]` for all.
        temperature: Divides the logits: below 1 is safer, above is wilder, 0 always takes the
            most probable character; float32 `[batch]` or `[1]`.
        seed: The same one generates the same text; int32 `[batch]` or `[1]`.

    Returns:
        The texts without their prompts, string `[batch]`.

    Raises:
        tf.errors.InvalidArgumentError: A length below 0 or a length or prompt above `MAX_LENGTH`, a
            temperature below 0 or not finite, a seed below 0.
    """
    rows = tf.shape(prompt)
    length, temperature, seed = (
        tf.broadcast_to(option, rows) for option in (length, temperature, seed)
    )
    prompt, length, temperature, seed = _check_options(prompt, length, temperature, seed)
    ids, lengths = tables.encode(prompt, "prompt")
    logits, states = _read_prompts(model, ids, lengths)
    max_length = tf.reduce_max(tf.concat([length, [0]], 0))
    uniform = _uniform_numbers(seed, max_length)

    def generate_next(step: Any, logits: Any, states: Any, generated: Any) -> Any:
        next_id = _sample(logits, temperature, uniform[:, step])
        logits, states = _step(model, next_id, states)
        return step + 1, logits, states, generated.write(step, next_id)

    # TensorFlow does not stack an array of nothing: one row more, also where there is none else.
    generated = tf.TensorArray(tf.int32, size=max_length + 1, element_shape=(None,))
    generated = generated.write(max_length, tf.zeros(rows, tf.int32))
    *_, generated = tf.while_loop(
        lambda step, *_: step < max_length, generate_next, (0, logits, states, generated)
    )
    return tables.decode(tf.transpose(generated.stack()), tf.cast(length, tf.int64))


def _check_options(
    prompt: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
) -> Any:
    """All of them as they are: none is used before each is as `generate_text` takes it."""
    options = [prompt, length, temperature, seed]
    is_temperature = (temperature >= 0) & tf.math.is_finite(temperature)
    is_length = (length >= 0) & (length <= MAX_LENGTH)
    for name, option, condition, expected in (
        ("length", length, is_length, f"0 to {MAX_LENGTH:,}"),
        ("temperature", temperature, is_temperature, "0.0 or above"),
        ("seed", seed, seed >= 0, "0 or above"),
    ):
        options = graph_checks.assert_rows(
            options, condition, name, expected, partial(tf.identity, option)
        )
    return options


def _stateful_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers whose output depends on the characters before."""
    kinds = (keras.layers.RNN, TransformerDecoder)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def _step(model: keras.Model, ids: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
    """Take one character `[batch]`: its logits `[batch, characters]`, and each layer's state.

    The model is a chain of layers. Recurrent ones have cells that take a step, and decoders a cache
    of the characters before.
    """
    x, old_states, new_states = ids, iter(states), []
    stateful = _stateful_layers(model)
    for layer in model.layers[1:]:
        if layer not in stateful:
            x = layer(x, training=False)
            continue
        if isinstance(layer, keras.layers.RNN):
            x, state = layer.cell(x, next(old_states), training=False)
        else:
            x, state = layer.step(x, next(old_states))
        new_states.append(state)
    return tf.cast(x, tf.float32), new_states


def _read_prompts(model: keras.Model, ids: tf.Tensor, lengths: tf.Tensor) -> Any:
    """Return the logits behind each row's last character, and the states there."""
    rows = tf.shape(ids)[0]
    states = [layer.get_initial_state(rows) for layer in _stateful_layers(model)]
    states = tf.nest.map_structure(
        lambda state: tf.ensure_shape(state, (None, *state.shape[1:])), states
    )

    def read_next(step: Any, logits: Any, states: Any) -> Any:
        is_inside = step < lengths

        def select(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
            condition = tf.reshape(is_inside, (-1, *(1 for _ in new.shape[1:])))
            return tf.where(condition, new, old)

        updated = _step(model, ids[:, step], states)
        return step + 1, *tf.nest.map_structure(select, updated, (logits, states))

    max_length = tf.shape(ids)[1]
    logits = tf.zeros((rows, model.output.shape[-1]))
    _, logits, states = tf.while_loop(
        lambda step, *_: step < max_length, read_next, (0, logits, states)
    )
    return logits, states


def _uniform_numbers(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """For each seed the same random numbers in [0, 1), `[batch, count]`, on any machine."""
    rows = tf.map_fn(
        lambda seed: tf.random.stateless_uniform((count,), (seed, 0), alg="philox"),
        tf.concat([seeds, [0]], 0),  # one more, as an empty array can't be stacked
        fn_output_signature=tf.TensorSpec((None,), tf.float32),
    )
    return rows[:-1]


def _sample(logits: tf.Tensor, temperature: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Return a known character for each row: where `uniform` falls among the probabilities."""
    known = logits[:, 1:]
    known -= tf.reduce_max(known, axis=-1, keepdims=True)
    cumulative = tf.cumsum(tf.nn.softmax(known / tf.maximum(temperature, 1e-6)[:, None]), axis=-1)
    sampled = tf.reduce_sum(tf.cast(cumulative <= uniform[:, None], tf.int32), axis=-1)
    sampled = tf.minimum(sampled, tf.shape(known)[1] - 1)  # where rounding let the sum stay below 1
    best = tf.argmax(known, axis=-1, output_type=tf.int32)
    return tf.where(temperature > 0, sampled, best) + 1
