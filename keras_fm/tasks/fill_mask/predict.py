"""The most probable tokens of masks."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import softmax

from keras_fm.data.text_batches import pad_sequences
from keras_fm.errors import InvalidInputError
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
        texts = read_texts(inputs)
        for text in texts:
            check_mask(text)
        vocabulary = self.data.vocabulary
        token_ids = vocabulary.tokenizer(tf.constant(texts), self.data.max_length, parse_masks=True)
        return [
            self._predict_text(model, text, np.array(row, "int32"))
            for text, row in zip(texts, token_ids.to_list(), strict=True)
        ]

    def _predict_text(self, model: keras.Model, text: bytes, row: np.ndarray) -> dict[str, Any]:
        vocabulary, count = self.data.vocabulary, text.count(MASK_TOKEN.encode())
        positions = np.flatnonzero(row == vocabulary.mask_id).astype("int32")
        if len(positions) < count:
            raise InvalidInputError(
                f"expected {self.expected}; received {count}, of which {len(positions)} are there, "
                f"in {first_words(text)}"
            )
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
