"""How classifiers of texts are trained."""

from typing import Any

import keras

from keras_fm.tasks.classification import ClassificationObjective
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer


class TextObjective(ClassificationObjective):
    """Adds adversarial training."""

    def compiled_model(self, model: keras.Model, recipe: Any, steps: int) -> keras.Model:
        """Return the model, or what trains it against perturbations of its token embeddings."""
        if recipe.adversarial_epsilon:
            model = AdversarialTextTrainer(model, recipe.adversarial_epsilon)
        return super().compiled_model(model, recipe, steps)
