"""The task of text generation."""

import keras
import numpy as np

from keras_fm.data.character_texts import UNKNOWN_ID
from keras_fm.models.spec import spec_of
from keras_fm.tasks.base import Task
from keras_fm.tasks.text_generation.data import CharacterData
from keras_fm.tasks.text_generation.objective import CharacterObjective
from keras_fm.tasks.text_generation.predict import CharacterPredictor
from keras_fm.tasks.text_generation.recipe import TextGenerationRecipe
from keras_fm.tasks.text_generation.serve import CharacterServing
from keras_fm.tasks.text_generation.summaries import CharacterSummaries

# The layers with a weight for each character, and the axis of the characters in it.
_CHARACTER_AXES = {"token_embedding": 0, "logits": -1}


class TextGeneration(Task):
    """A chain of layers from `text_ids` `[batch, length]` to the logits of the next character.

    Those that look at the characters before are recurrent, or `keras_fm.layers.TransformerDecoder`.
    The categories of its only input are the characters that it knows, ID 1 the first; 0 is any
    other.
    """

    recipe_class = TextGenerationRecipe
    unit = "windows"
    data_class = CharacterData
    predictor_class = CharacterPredictor
    objective_class = CharacterObjective
    serving_class = CharacterServing
    summaries_class = CharacterSummaries
    data: CharacterData

    def remap_weights(
        self, source: keras.Model, target: keras.Model
    ) -> dict[str, list[np.ndarray]]:
        """Return the embeddings and logits of the characters that both know; others are kept."""
        source_spec = spec_of(source)
        if source_spec.task_name != self.spec.task_name:
            return {}
        source_characters = source_spec.inputs[0].categories
        if source_characters == self.data.characters:
            return {}
        id_of = {character: index for index, character in enumerate(source_characters, 1)}
        source_ids = np.array(
            [UNKNOWN_ID, *(id_of.get(character, -1) for character in self.data.characters)]
        )
        shared = source_ids >= 0
        remapped = {}
        for name, axis in _CHARACTER_AXES.items():
            source_weights, weights = (
                [np.moveaxis(array, axis, 0) for array in model.get_layer(name).get_weights()]
                for model in (source, target)
            )
            pairs = list(zip(source_weights, weights, strict=True))
            if any(old.shape[1:] != new.shape[1:] for old, new in pairs):
                return {}  # of other arguments: they do not fit, whatever the characters
            for old, new in pairs:
                new[shared] = old[source_ids[shared]]
            remapped[name] = [np.moveaxis(array, 0, axis) for array in weights]
        return remapped


TASK = TextGeneration
