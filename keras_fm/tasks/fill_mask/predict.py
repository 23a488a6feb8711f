"""The most probable tokens of masks."""

from typing import Any

import keras
import numpy as np
from scipy.special import softmax

from keras_fm.data.text_batches import pad_sequences
from keras_fm.errors import InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.preprocessing.texts.wordpiece import MASK_TOKEN
from keras_fm.tasks.base import Predictor
from keras_fm.tasks.fill_mask.codec import check_mask, first_words

TOP_K = 5  # tokens for a mask


class MaskedLMPredictor(Predictor):
    """Takes texts with `[MASK]` in them."""

    @property
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """A logit for each token."""
        return "logits", (None, self.data.vocabulary.size)

    @property
    def expected(self) -> str:
        """What a text must be like, in words."""
        return f"every {MASK_TOKEN} among the {self.data.max_length} tokens that are read of a text"

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return `masks` of each text: for each mask the most probable tokens.

        Args:
            model: The model.
            inputs: One string or several, with `[MASK]` for each missing word.
        """
        return [
            self._predict_row(model, row, positions)
            for row, positions in self._rows_and_positions(inputs)
        ]

    def preprocess(self, model: keras.Model, inputs: Any) -> dict[str, np.ndarray]:
        """Return `text_ids` `[texts, length]` and `mask_positions` `[texts, masks]`, int32.

        Both are padded with 0, the positions behind the masks of a text with fewer than others.
        """
        rows, positions = zip(*self._rows_and_positions(inputs), strict=True)
        num_masks = max(map(len, positions))
        padded = [np.pad(row, (0, num_masks - len(row))) for row in positions]
        return {"text_ids": pad_sequences(rows), "mask_positions": np.stack(padded)}

    def _rows_and_positions(self, inputs: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the token IDs of each text, and where its masks are."""
        texts = read_texts(inputs)
        for text in texts:
            check_mask(text)
        vocabulary = self.data.vocabulary
        token_ids = vocabulary.tokenizer(tf.constant(texts), self.data.max_length, parse_masks=True)
        rows = [np.array(row, "int32") for row in token_ids.to_list()]
        return [
            (row, self._mask_positions(text, row)) for text, row in zip(texts, rows, strict=True)
        ]

    def _mask_positions(self, text: bytes, row: np.ndarray) -> np.ndarray:
        vocabulary, count = self.data.vocabulary, text.count(MASK_TOKEN.encode())
        positions = np.flatnonzero(row == vocabulary.mask_id).astype("int32")
        if len(positions) < count:
            raise InvalidInputError(
                f"expected {self.expected}; received {count}, of which {len(positions)} are there, "
                f"in {first_words(text)}"
            )
        return positions

    def _predict_row(
        self, model: keras.Model, row: np.ndarray, positions: np.ndarray
    ) -> dict[str, Any]:
        vocabulary = self.data.vocabulary
        inputs = {"text_ids": pad_sequences([row]), "mask_positions": positions[None]}
        logits = np.asarray(model.predict_on_batch(inputs), "float64")
        probabilities = softmax(logits, axis=-1)[0]
        best = np.argsort(-probabilities, axis=1)[:, :TOP_K]
        return {
            "masks": [
                {vocabulary.tokens[index]: float(of_mask[index]) for index in order}
                for of_mask, order in zip(probabilities, best, strict=True)
            ]
        }
