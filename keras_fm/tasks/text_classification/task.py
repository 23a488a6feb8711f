"""The task of text classification."""

from typing import Any

import keras

from keras_fm.tasks.base import Task
from keras_fm.tasks.text_classification.data import TextData
from keras_fm.tasks.text_classification.objective import TextObjective
from keras_fm.tasks.text_classification.predict import TextPredictor
from keras_fm.tasks.text_classification.recipe import TextClassificationRecipe
from keras_fm.tasks.text_classification.serve import TextServing
from keras_fm.tasks.text_classification.summaries import TextSummaries
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer


class TextClassification(Task):
    """Classifies texts, which are tokenized by the vocabulary in the model's package."""

    recipe_class = TextClassificationRecipe
    unit = "texts"
    data_class = TextData
    predictor_class = TextPredictor
    objective_class = TextObjective
    serving_class = TextServing
    summaries_class = TextSummaries

    def check_recipe(self, model: keras.Model, recipe: Any) -> None:
        """Raise a `KerasFmError` where the model's token embeddings can't be perturbed."""
        if recipe.adversarial_epsilon:
            AdversarialTextTrainer(model, recipe.adversarial_epsilon)


TASK = TextClassification
