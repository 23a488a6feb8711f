"""The signatures of an exported masked language model."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks, lookup_tables
from keras_fm.preprocessing.texts.vocabulary import PAD_ID
from keras_fm.preprocessing.texts.wordpiece import MASK_TOKEN
from keras_fm.tasks.base import Serving, Signature, Signatures
from keras_fm.tasks.fill_mask.predict import TOP_K

EXAMPLE = f"A {MASK_TOKEN} film."
PARITY_EXAMPLES = (f"a {MASK_TOKEN} film", f"{MASK_TOKEN} ! i {MASK_TOKEN} it <br />")


class MaskedLMServing(Serving):
    """Texts with masks."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return one signature under two names. The longest text of a batch decides its time.

        serving_default, fill_mask: `text`, string `[batch]`, UTF-8, with "[MASK]" for each missing
            word -> `tokens`, string, and `scores`, float32 `[batch, masks, 5]`: the most probable
            tokens of each mask; "" and 0 behind a text's last one. A text that is so long that a
            mask lies in what is left out is refused.
        """
        vocabulary = self.data.vocabulary
        tokens_of = lookup_tables.line_of_index(vocabulary.file)

        def fill_mask(text: tf.Tensor) -> dict[str, tf.Tensor]:
            token_ids = vocabulary.tokenizer(text, self.data.max_length, parse_masks=True)
            text_ids = token_ids.to_tensor(PAD_ID)
            is_mask = text_ids == vocabulary.mask_id
            num_masks = tf.reduce_sum(tf.cast(is_mask, tf.int32), axis=1)
            text_ids = graph_checks.assert_rows(
                text_ids,
                num_masks == _count_masks(text),
                "text",
                self.predictor.expected,
                lambda: text,
            )
            positions = tf.ragged.boolean_mask(
                tf.broadcast_to(tf.range(tf.shape(text_ids)[1]), tf.shape(text_ids)), is_mask
            )
            exists = tf.sequence_mask(positions.row_lengths())[..., None]
            inputs = {"text_ids": text_ids, "mask_positions": positions.to_tensor(0)}
            logits = model(inputs, training=False)
            scores, best = tf.math.top_k(tf.nn.softmax(logits), TOP_K)
            tokens = tokens_of.lookup(tf.cast(best, tf.int64))
            return {
                "tokens": tf.where(exists, tokens, ""),
                "scores": tf.where(exists, scores, 0.0),
            }

        text = tf.TensorSpec((None,), tf.string, name="text")
        example, sample = (
            {"text": np.array([text.encode() for text in texts], object)}
            for texts in ((EXAMPLE,), PARITY_EXAMPLES)
        )
        signature = Signature(fill_mask, [text], example, parity_inputs=sample)
        by_name = {"serving_default": signature, "fill_mask": signature}
        return Signatures(by_name, [vocabulary.tokenizer.lookup_table, tokens_of])


def _count_masks(texts: tf.Tensor) -> tf.Tensor:
    """How often "[MASK]" stands in each text, int32 `[batch]`."""
    without = tf.strings.regex_replace(texts, r"\[MASK\]", "")
    return (tf.strings.length(texts) - tf.strings.length(without)) // len(MASK_TOKEN)
