"""Windows of texts, some tokens of which are masked."""

from typing import Any

import numpy as np

from keras_fm.data.batches import Dataset, dataset_from_arrays
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import MaskedLMBatches, MaskGenerator
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks.base import TaskData
from keras_fm.tasks.vocabulary import TokenizedTexts, check_texts

EVAL_LENGTH = 128  # tokens of a window that is evaluated
EVAL_PROBABILITY = 0.15  # of a token to be predicted, as BERT's authors evaluate
ALL_TOKENS = 1_000_000  # of a text: every one, but of what is no text any more


class MaskedLMData(TokenizedTexts, TaskData):
    """Examples are texts; targets don't count."""

    eval_batch_size = 64  # 64 x 19 x 8192 logits are 40 MB

    def validate(self, examples: Examples) -> None:
        """Raise a `DataError` where the examples are not texts."""
        check_texts(examples)

    def adapt_recipe(self, num_examples: int, recipe: Recipe) -> dict[str, Any]:
        """Return a validation of a fifth; a text has many windows, so a batch stays as it is."""
        return {"validation_examples": num_examples // 5}

    def encode(self, examples: Examples) -> Examples:
        """Return windows with masked tokens, always the same ones, and what was masked."""
        stream = np.concatenate(self._token_ids(examples))
        length = min(EVAL_LENGTH, len(stream))
        windows = stream[: len(stream) // length * length].reshape(-1, length)
        mask_tokens = self._mask_generator(EVAL_PROBABILITY)
        inputs, targets = mask_tokens(windows, np.random.default_rng(0))
        return Examples(inputs, targets, examples.description)

    def batches(self, examples: Examples, recipe: Any, seed: int) -> MaskedLMBatches:
        """Return windows of all texts, concatenated, masked by the recipe's probability."""
        mask_tokens = self._mask_generator(recipe.mlm_probability)
        return MaskedLMBatches(self._token_ids(examples), mask_tokens, recipe=recipe, seed=seed)

    def validation_dataset(self, examples: Examples) -> Dataset:
        """Return the windows that `evaluate` takes."""
        windows = self.encode(examples)
        return dataset_from_arrays(windows.inputs, windows.targets, batch_size=self.eval_batch_size)

    def token_counts(self, examples: Examples) -> np.ndarray:
        """Return how often each token comes."""
        return np.bincount(np.concatenate(self._token_ids(examples)))

    def _token_ids(self, examples: Examples) -> np.ndarray:
        return self.vocabulary.token_ids(examples.inputs, ALL_TOKENS)

    def _mask_generator(self, probability: float) -> MaskGenerator:
        return MaskGenerator(probability, self.vocabulary.mask_id, self.vocabulary.size)
