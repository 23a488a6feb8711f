"""The signatures of an exported classifier of texts."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_fm.data.text_batches import pad_sequences
from keras_fm.lazy_imports import tf
from keras_fm.models.backbone import backbone
from keras_fm.preprocessing.texts.vocabulary import PAD_ID
from keras_fm.tasks.base import Serving, Signature, Signatures
from keras_fm.tasks.classification import ClassOutputs

EXAMPLE = "A dull film, but great actors."
PARITY_EXAMPLES = 64


class TextServing(Serving):
    """Texts, or token IDs."""

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return three signatures. Texts are UTF-8; the longest of a batch decides its time.

        serving_default: `text`, string `[batch]` -> `probabilities`, `logits` `[batch, classes]`,
            `embedding` `[batch, width]`, float32; `label` `[batch]`, string.
        token_ids: the same of `text_ids`, int32 `[batch, length]`, 0 behind the shorter texts; of a
            text that is longer than the model reads, its first tokens.
        features: `text` -> `embedding` alone.
        """
        vocabulary, max_length = self.data.vocabulary, self.data.max_length
        class_outputs = ClassOutputs(self.spec, folder)
        classify_and_embed = keras.Model(model.inputs, [model.output, backbone(model).output])

        def classify(text_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            # One token of no text at all: TensorFlow's loop has no outputs for none.
            missing = tf.cast(tf.shape(text_ids)[1] == 0, tf.int32)
            padded = tf.pad(text_ids, [[0, 0], [0, missing]])
            logits, embedding = classify_and_embed(padded, training=False)
            return {**class_outputs(logits), "embedding": tf.cast(embedding, tf.float32)}

        def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return classify(vocabulary.tokenizer(text, max_length).to_tensor(PAD_ID))

        def token_ids(text_ids: tf.Tensor) -> dict[str, tf.Tensor]:
            return classify(vocabulary.check_token_ids(text_ids)[:, :max_length])

        def features(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"embedding": serving_default(text)["embedding"]}

        text = tf.TensorSpec((None,), tf.string, name="text")
        text_ids = tf.TensorSpec((None, None), tf.int32, name="text_ids")
        example = {"text": np.array([EXAMPLE.encode()], object)}
        sample = {"text": self._sample_texts()}
        example_ids = {"text_ids": pad_sequences(self.data.token_ids(example["text"]))}
        by_name = {
            "serving_default": Signature(serving_default, [text], example, parity_inputs=sample),
            "token_ids": Signature(token_ids, [text_ids], example_ids),
            "features": Signature(features, [text], example),
        }
        return Signatures(by_name, [vocabulary.tokenizer.lookup_table, class_outputs.lookup_table])

    def _sample_texts(self) -> np.ndarray:
        texts = self.data.sample_inputs(PARITY_EXAMPLES)
        if texts is not None:
            return texts
        words = self.data.vocabulary.tokens[:500]
        random = np.random.default_rng(0)
        return np.array([" ".join(random.choice(words, 50)).encode() for _ in range(16)], object)
