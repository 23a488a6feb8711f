"""How classifiers of texts are trained."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.lazy_imports import tf
from keras_fm.tasks.classification import ClassificationObjective
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer


class TextObjective(ClassificationObjective):
    """Adds adversarial training, and slices by length."""

    @property
    def slices(self) -> tuple[str, ...]:
        """The class, and the number of characters."""
        return (*super().slices, "length")

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return how many characters each text has, or see the base class."""
        if slice_by == "length":
            texts = tf.constant(examples.inputs, tf.string)
            return tf.strings.length(texts, unit="UTF8_CHAR").numpy()
        return super().slice_values(outputs, examples, slice_by)

    def has_custom_step(self, recipe: Any) -> bool:
        """Return whether the training is adversarial."""
        return bool(recipe.adversarial_epsilon)

    def compiled_model(self, model: keras.Model, recipe: Any, steps: int) -> keras.Model:
        """Return the model, or what trains it against perturbations of its token embeddings."""
        if recipe.adversarial_epsilon:
            model = AdversarialTextTrainer(model, recipe.adversarial_epsilon)
        return super().compiled_model(model, recipe, steps)
