"""Texts and their classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_fm.data.batches import Batches, Dataset, batch_spec, dataset_from_function
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import BucketedTexts, bucket_by_length, pad_sequences
from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.data.user.texts import fit_texts, read_user_texts
from keras_fm.errors import InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.tasks.classification import ClassificationData
from keras_fm.tasks.vocabulary import TokenizedTexts, check_texts


class TextData(TokenizedTexts, ClassificationData):
    """Examples are texts, which become token IDs."""

    # Of 512 tokens each: the attention scores of 4 heads are a quarter of a gigabyte. 500 reviews,
    # sorted by length, have 7 % more padding in batches of 128.
    eval_batch_size = 64

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where the examples are not texts with labels."""
        check_texts(examples)
        self.validate_labels(examples)

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load texts, and infer their classes."""
        return self.infer_classes(_read(user_data), fit_texts, user_data, seed)

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load texts of the model's own classes."""
        return self.encode_classes(_read(user_data), fit_texts)

    def encode(self, examples: Examples) -> Examples:
        """Return padded token IDs, int32 `[examples, length]`."""
        padded = pad_sequences(self.token_ids(examples.inputs))
        return Examples(padded, examples.targets, examples.description)

    def token_ids(self, texts: Any) -> np.ndarray:
        """Return each text's token IDs, int32, an array of its own length."""
        return self.vocabulary.token_ids(texts, self.max_length)

    def raw_token_ids(self, inputs: Any) -> np.ndarray:
        """Return the same of raw inputs: one text or several."""
        return self.token_ids(read_texts(inputs))

    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return batches of texts about as long as each other, padded, and one-hot labels."""
        # The backbone of a masked language model knows what a masked token is.
        mask_id = self.vocabulary.mask_id
        return BucketedTexts(
            self.token_ids(examples.inputs),
            self.targets(examples),
            recipe=recipe,
            seed=seed,
            mask_id=mask_id,
        )

    def validation_dataset(self, examples: Examples) -> Dataset:
        """Return texts of like length together, so that little is padding, and one-hot labels."""
        token_ids, targets = self.token_ids(examples.inputs), self.targets(examples)
        buckets = bucket_by_length(token_ids, self.eval_batch_size)

        def element_spec() -> tuple[tf.TensorSpec, ...]:
            return tf.TensorSpec((None, None), tf.int32), batch_spec(targets)

        def batch_for(index: int) -> tuple[np.ndarray, np.ndarray]:
            return pad_sequences(token_ids[buckets[index]]), targets[buckets[index]]

        return dataset_from_function(batch_for, len(buckets), element_spec)


def _read(user_data: UserData) -> RawExamples:
    if user_data.problem_type is not None:
        raise InvalidInputError("problem_type is for a table; texts have classes")
    return read_user_texts(user_data)
