"""Batches of texts of different lengths: bucketed by length, or windows without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keras_fm.data.batches import BATCH_STREAM, Batches
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.texts.vocabulary import PAD_ID, UNK_ID
from keras_fm.preprocessing.texts.wordpiece import SPECIAL_TOKENS

BUCKET_BATCHES = 50  # batches whose texts are sorted by length together
# Lengths are padded to a multiple of it. JAX compiles a step for each length.
PAD_MULTIPLE = 128 if keras.backend.backend() == "jax" else 16


class BucketedTexts(Batches):
    """Batches of (token IDs `[batch, length]`, int32, targets), bucketed by length.

    Each pass over the data shuffles the texts and then puts those of similar length together, so
    that little of a batch is padding. Token dropout replaces some tokens by `mask_id`, as the
    recipe says.
    """

    def __init__(
        self,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        recipe: Any,
        seed: int,
        mask_id: int = UNK_ID,
    ) -> None:
        """Create the batches.

        Args:
            rows: An object array with the token IDs of each text, int32 `[tokens]`.
            targets: `[texts, ...]`, as the loss takes them.
            recipe: Says the batch size and the token dropout.
            seed: Of all random numbers.
            mask_id: Stands for a dropped token.
        """
        super().__init__(rows, targets, recipe=recipe, seed=seed)
        self.mask_id = mask_id
        self.lengths = np.array([len(row) for row in rows])

    def epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the order of the texts: sorted by length in buckets, then batches shuffled."""
        num_batches = self.recipe.epochs_per_pass * len(self)
        num_full = min(num_batches, self.num_examples // self.batch_size) * self.batch_size
        permutation = rng.permutation(self.num_examples)
        shuffled, last = np.split(permutation[: num_batches * self.batch_size], [num_full])
        bucket_size = BUCKET_BATCHES * self.batch_size
        buckets = np.split(shuffled, range(bucket_size, len(shuffled), bucket_size))
        by_length = [bucket[np.argsort(self.lengths[bucket], kind="stable")] for bucket in buckets]
        batches = np.concatenate(by_length).reshape(-1, self.batch_size)
        return np.concatenate([rng.permutation(batches).ravel(), last])  # the short batch, if any

    def inputs_for(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Make the token IDs of the texts at `indices`, padded, int32 `[batch, length]`."""
        token_ids = pad_sequences(self.inputs[indices])
        if self.recipe.token_dropout:
            dropped = rng.random(token_ids.shape) < self.recipe.token_dropout
            token_ids[dropped & (token_ids != PAD_ID)] = self.mask_id
        return token_ids

    def inputs_spec(self) -> tf.TensorSpec:
        """Return the spec of any number of texts of any length."""
        return tf.TensorSpec((None, None), tf.int32)


class SequenceWindows(Batches):
    """Batches of (IDs of characters or tokens, IDs of the next ones), `[batch, window]` both.

    Each epoch cuts the text into adjacent windows from a random offset and visits them in a random
    order: over the epochs a character occurs at every position of a window.
    """

    unit = "windows"

    def __init__(self, ids: np.ndarray, next_ids: np.ndarray, *, recipe: Any, seed: int) -> None:
        """Create the batches.

        Args:
            ids: Of the characters or tokens of one text, int32.
            next_ids: The targets, as many.
            recipe: Says the batch size and the length of a window.
            seed: Of all random numbers.
        """
        self.window = min(recipe.sequence_length or len(ids), len(ids))
        inputs, targets = (sliding_windows(array, self.window) for array in (ids, next_ids))
        super().__init__(inputs, targets, recipe=recipe, seed=seed)
        # One less than fit side by side leaves room for the offset.
        self.num_examples = max(1, len(ids) // self.window - 1)
        self.num_offsets = len(self.targets) - (self.num_examples - 1) * self.window
        self.batch_size = min(recipe.batch_size, self.num_examples)

    def epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        """Draw where this epoch's windows start."""
        offset = rng.integers(self.num_offsets)
        return offset + rng.permutation(self.num_examples) * self.window


class MaskedLMBatches(Batches):
    """Batches for masked language modeling.

    The inputs are `text_ids` `[batch, window]` and `mask_positions` `[batch, masks]`, the positions
    to predict; the targets are the tokens there. Texts as `WordPieceTokenizer` tokenizes them are
    concatenated and cut into windows. From `long_sequence_from` of the recipe on they are long, and
    fewer in a batch.
    """

    unit = "windows"

    def __init__(
        self, rows: np.ndarray, mask_generator: MaskGenerator, *, recipe: Any, seed: int
    ) -> None:
        """Create the batches.

        Args:
            rows: An object array with the token IDs of each text, int32 `[tokens]`.
            mask_generator: Masks some tokens of a window.
            recipe: Says the batch size and the lengths of the windows.
            seed: Of all random numbers.
        """
        token_ids = np.concatenate(rows)
        super().__init__(token_ids, token_ids, recipe=recipe, seed=seed)
        self.mask_generator = mask_generator
        self.short_windows = SequenceWindows(token_ids, token_ids, recipe=recipe, seed=seed)
        self.num_examples = self.short_windows.num_examples
        self.long_windows = self.short_windows
        if recipe.long_sequence_length:
            batch_size = max(
                1, recipe.batch_size * recipe.sequence_length // recipe.long_sequence_length
            )
            long_recipe = recipe.override(
                sequence_length=recipe.long_sequence_length, batch_size=batch_size
            )
            self.long_windows = SequenceWindows(token_ids, token_ids, recipe=long_recipe, seed=seed)

    def __len__(self) -> int:
        """Return the number of batches, the same in each epoch."""
        return min(len(self.short_windows), len(self.long_windows))

    @property
    def num_left_out(self) -> int:
        """The number of short windows that no batch has."""
        return max(0, self.num_examples - len(self) * self.short_windows.batch_size)

    def __getitem__(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the batch of a step of the current epoch."""
        progress = self.epoch * self.recipe.num_cycles / self.recipe.epochs % 1
        is_late = progress >= self.recipe.long_sequence_from
        windows = self.long_windows if is_late else self.short_windows
        windows.epoch = self.epoch
        rng = np.random.default_rng((self.seed, BATCH_STREAM, self.epoch, step))
        return self.mask_generator(windows[step][1], rng)

    def inputs_spec(self) -> dict[str, tf.TensorSpec]:
        """Return the specs of any number of windows of any length, and of positions in them."""
        matrix = tf.TensorSpec((None, None), tf.int32)
        return {"text_ids": matrix, "mask_positions": matrix}

    def targets_spec(self) -> tf.TensorSpec:
        """Return the spec of a token for each position."""
        return tf.TensorSpec((None, None), tf.int32)


@dataclass(frozen=True)
class MaskGenerator:
    """Function that masks tokens for a language model to predict (Devlin et al. 2018).

    Of the tokens to predict, 80 % become the mask, 10 % a random token, and 10 % stay.

    Attributes:
        probability: Share of each window to predict.
        mask_id: The ID of the mask.
        vocabulary_size: Number of token IDs.
    """

    probability: float
    mask_id: int
    vocabulary_size: int

    def __call__(
        self, token_ids: np.ndarray, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Mask windows `[batch, length]`; return the inputs of a masked language model and targets.

        Special tokens, such as the beginning of a text, are never predicted.
        """
        num_special = len(SPECIAL_TOKENS)
        num_masks = max(1, round(self.probability * token_ids.shape[1]))
        ranks = rng.random(token_ids.shape) + (token_ids < num_special)
        positions = np.argpartition(ranks, num_masks - 1, axis=1)[:, :num_masks]
        positions = np.sort(positions, axis=1)
        targets = np.take_along_axis(token_ids, positions, axis=1)
        random_ids = rng.integers(num_special, self.vocabulary_size, targets.shape)
        draw = rng.random(targets.shape)
        shown = np.where(draw < 0.8, self.mask_id, np.where(draw < 0.9, random_ids, targets))
        text_ids = token_ids.copy()
        np.put_along_axis(text_ids, positions, shown.astype("int32"), axis=1)
        return {"text_ids": text_ids, "mask_positions": positions.astype("int32")}, targets


def sliding_windows(array: np.ndarray, length: int) -> np.ndarray:
    """View every window of some length in an array, `[windows, length]`, without copying."""
    return sliding_window_view(array, length)


def bucket_by_length(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Group the indices of rows of similar length into batches, the shortest rows first."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def pad_sequences(rows: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Join arrays of token IDs into one, int32 `[rows, length]`, padded behind the shorter ones."""
    max_length = max(len(row) for row in rows)
    padded_length = -(-max_length // PAD_MULTIPLE) * PAD_MULTIPLE
    padded = np.full((len(rows), padded_length), PAD_ID, "int32")
    for padded_row, row in zip(padded, rows, strict=True):
        padded_row[: len(row)] = row
    return padded
