"""Predictions for raw texts."""

from functools import partial
from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import bucket_by_length, pad_sequences
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.progress import track
from keras_fm.tasks.base import ExplainedInput
from keras_fm.tasks.classification import ClassificationPredictor
from keras_fm.tasks.vocabulary import Vocabulary


class TextPredictor(ClassificationPredictor):
    """Takes one string or several."""

    explain_methods = ("occlusion", "attention", "integrated_gradients")

    def predict_examples(self, model: keras.Model, examples: Examples) -> np.ndarray:
        """Return a model's outputs for texts, `[texts, width]`."""
        return self.predict_token_ids(model, self.data.token_ids(examples.inputs))

    def predict_token_ids(self, model: keras.Model, token_ids: np.ndarray) -> np.ndarray:
        """Return a model's outputs for arrays of token IDs; those of like length in one batch."""
        outputs = np.empty((len(token_ids), model.output_shape[-1]), np.float32)
        buckets = bucket_by_length(token_ids, self.data.eval_batch_size)
        for bucket in track(buckets, f"predictions of {model.name}"):
            outputs[bucket] = self.predict(model, pad_sequences(token_ids[bucket]))
        return outputs

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return `label` and `probabilities` of texts: one string or several."""
        return self.predictions(self.raw_outputs(model, inputs))

    def raw_outputs(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return logits of raw texts `[texts, classes]`."""
        return self.predict_token_ids(model, self.data.raw_token_ids(inputs))

    def preprocess(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return token IDs, int32 `[texts, length]`, padded behind the shorter texts."""
        return pad_sequences(self.data.raw_token_ids(inputs))

    def explained_inputs(self, inputs: Any) -> list[ExplainedInput]:
        """Return texts, and the same with a token masked; padded, as for `predict_raw`."""
        vocabulary, texts = self.data.vocabulary, read_texts(inputs)
        return [
            ExplainedInput(
                pad_sequences([row]),
                partial(_masked, row, vocabulary.mask_id),
                vocabulary.features(text, self.data.max_length),
                baseline=partial(_without_words, row, vocabulary),
            )
            for text, row in zip(texts, self.data.token_ids(texts), strict=True)
        ]


def _masked(token_ids: np.ndarray, mask_id: int) -> np.ndarray:
    """Return a padded row for each token of a text, in which it is masked."""
    return pad_sequences(np.where(np.eye(len(token_ids), dtype=bool), mask_id, token_ids))


def _without_words(token_ids: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Return a text of as many tokens, all masked but those that begin and end each text."""
    is_frame = np.isin(token_ids, vocabulary.frame_ids)
    return pad_sequences([np.where(is_frame, token_ids, vocabulary.mask_id)])
