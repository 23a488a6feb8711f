"""The task of filling masks."""

from keras_fm.tasks.base import Task
from keras_fm.tasks.fill_mask.data import MaskedLMData
from keras_fm.tasks.fill_mask.objective import MaskedLMObjective
from keras_fm.tasks.fill_mask.predict import MaskedLMPredictor
from keras_fm.tasks.fill_mask.recipe import FillMaskRecipe
from keras_fm.tasks.fill_mask.serve import MaskedLMServing


class FillMask(Task):
    """Predicts masked tokens: `text_ids`, `mask_positions` -> logits `[batch, masks, tokens]`."""

    recipe_class = FillMaskRecipe
    unit = "windows"
    data_class = MaskedLMData
    predictor_class = MaskedLMPredictor
    objective_class = MaskedLMObjective
    serving_class = MaskedLMServing


TASK = FillMask
