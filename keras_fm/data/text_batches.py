"""Batches of texts of different lengths: padded as little as can be, or packed without padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view

from keras_fm.data.batches import BATCH_STREAM, Batches
from keras_fm.preprocessing import wordpiece
from keras_fm.preprocessing.tokenizers import PAD_ID, UNK_ID
from keras_fm.registry.recipe import Recipe

BUCKET_BATCHES = 50  # batches whose texts are sorted by length together
# Lengths are rounded up to it: fewer different shapes. JAX compiles a step anew for each of them.
PAD_MULTIPLE = 128 if keras.backend.backend() == "jax" else 16


class BucketedTexts(Batches):
    """Batches of (numbers of words `[batch, length]`, int32, targets).

    Each visit draws the texts in a new order and then puts those of like length together, so that
    little of a batch is padding. Some words are hidden, as the recipe says, behind the number
    `mask`.
    """

    def __init__(
        self,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        recipe: Recipe,
        seed: int,
        mask: int = UNK_ID,
    ) -> None:
        super().__init__(rows, targets, recipe=recipe, seed=seed)
        self.mask = mask
        self.lengths = np.array([len(row) for row in rows])

    def order(self, random: np.random.Generator) -> np.ndarray:
        """The texts of this visit: sorted by length in pools, the batches of all pools mixed."""
        full = self.recipe.parts * len(self) * self.batch_size
        drawn = random.permutation(self.count)[:full]
        pools = np.split(
            drawn,
            range(BUCKET_BATCHES * self.batch_size, len(drawn), BUCKET_BATCHES * self.batch_size),
        )
        inside = [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        batches = np.concatenate(inside).reshape(-1, self.batch_size)
        return random.permutation(batches).ravel()

    def make(self, chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The texts `chosen`, padded to the longest of them."""
        numbers = pad_sequences(self.inputs[chosen])
        if self.recipe.hide_words:
            hidden = random.random(numbers.shape) < self.recipe.hide_words
            numbers[hidden & (numbers != PAD_ID)] = self.mask
        return numbers

    def signature(self) -> tf.TensorSpec:
        """Any number of texts of any length."""
        return tf.TensorSpec((None, None), tf.int32)


class SequenceWindows(Batches):
    """Batches of (numbers of characters, numbers of the next ones), `[batch, window]` both.

    Each epoch cuts the text into windows side by side, from an offset of its own, and visits them
    in a new order: over the epochs a character is seen at every place of a window.
    """

    def __init__(
        self, numbers: np.ndarray, following: np.ndarray, *, recipe: Recipe, seed: int
    ) -> None:
        self.window = min(recipe.window or len(numbers), len(numbers))
        inputs, targets = (sliding_windows(array, self.window) for array in (numbers, following))
        super().__init__(inputs, targets, recipe=recipe, seed=seed)
        # One less than fit side by side, so that the offset has room.
        self.count = max(1, len(numbers) // self.window - 1)
        self.slack = len(self.targets) - (self.count - 1) * self.window
        self.batch_size = min(recipe.batch_size, self.count)

    def order(self, random: np.random.Generator) -> np.ndarray:
        """The first characters of this epoch's windows."""
        return random.integers(self.slack) + random.permutation(self.count) * self.window


class MaskedLMBatches(Batches):
    """Batches of ({`text_ids` `[batch, window]`, `places` `[batch, asked]`}, what stood there).

    Texts as `tokenizing.Pieces` cuts them stand one behind the other and are cut into windows. In
    each some places are asked for: most are masked, some hold another piece, some what they held
    (Devlin et al. 2018). From the recipe's `long_from` on the windows are long, and fewer a batch.
    """

    def __init__(
        self, rows: np.ndarray, hiding: "MaskGenerator", *, recipe: Recipe, seed: int
    ) -> None:
        stream = np.concatenate(rows)
        super().__init__(stream, stream, recipe=recipe, seed=seed)
        self.hiding = hiding
        self.short = SequenceWindows(stream, stream, recipe=recipe, seed=seed)
        self.long = self.short
        if recipe.long_window:
            fewer = max(1, recipe.batch_size * recipe.window // recipe.long_window)
            long = recipe.override(window=recipe.long_window, batch_size=fewer)
            self.long = SequenceWindows(stream, stream, recipe=long, seed=seed)

    def __len__(self) -> int:
        return min(len(self.short), len(self.long))  # as many in each epoch

    def __getitem__(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        done = self.epoch * self.recipe.cycles / self.recipe.epochs % 1
        late = done >= self.recipe.long_from
        windows = self.long if late else self.short
        windows.epoch = self.epoch
        random = np.random.default_rng((self.seed, BATCH_STREAM, self.epoch, step))
        return self.hiding(windows[step][1], random)

    def signature(self) -> dict[str, tf.TensorSpec]:
        """Any number of windows of any length, and of places in them."""
        any_two = tf.TensorSpec((None, None), tf.int32)
        return {"text_ids": any_two, "places": any_two}

    def targets_signature(self) -> tf.TensorSpec:
        """As many as places."""
        return tf.TensorSpec((None, None), tf.int32)


@dataclass(frozen=True)
class MaskGenerator:
    """Hides a `share` of each window, behind the piece `mask` or any of the `vocabulary`."""

    share: float
    mask: int
    vocabulary: int

    def __call__(
        self, numbers: np.ndarray, random: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Windows `[batch, length]` -> inputs of a masked language model, and its targets."""
        asked = max(1, round(self.share * numbers.shape[1]))
        # Never a special piece: the beginning of a text is no question.
        chances = random.random(numbers.shape) + (numbers < len(wordpiece.SPECIAL_TOKENS))
        places = np.sort(np.argpartition(chances, asked - 1, axis=1)[:, :asked], axis=1)
        targets = np.take_along_axis(numbers, places, axis=1)
        others = random.integers(len(wordpiece.SPECIAL_TOKENS), self.vocabulary, targets.shape)
        fate = random.random(targets.shape)
        shown = np.where(fate < 0.8, self.mask, np.where(fate < 0.9, others, targets))
        text_ids = numbers.copy()
        np.put_along_axis(text_ids, places, shown.astype("int32"), axis=1)
        return {"text_ids": text_ids, "places": places.astype("int32")}, targets


def sliding_windows(numbers: np.ndarray, length: int) -> np.ndarray:
    """Every window of so many numbers, `[windows, length]`: one begins at each, and none copies."""
    return sliding_window_view(numbers, length)


def bucket_by_length(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """The places of all rows, of the shortest ones first, in groups of so many."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    return [order[first : first + size] for first in range(0, len(rows), size)]


def pad_sequences(rows: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Arrays of numbers as one, int32 `[rows, length]`, `PADDING` behind the shorter ones."""
    longest = max(len(row) for row in rows)
    padded = np.full((len(rows), -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE), PAD_ID, "int32")
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded
