"""A task is what a kind of model does: how it reads data, learns, is measured, asked and served.

The rest of the library is the same for every model; what depends on the task asks it here. A task
is a class in a module of its own, and a line in `TASKS`.
"""

from importlib import import_module

import keras

from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.tasks.task import Task

TASKS = {
    "image-classification": "image_classification.ImageClassification",
    "image-generation": "image_generation.ImageGeneration",
    "masked-language-modelling": "fill_mask.FillMask",
    "table-classification": "tabular_classification.TabularClassification",
    "table-regression": "tabular_regression.TabularRegression",
    "text-classification": "text_classification.TextClassification",
    "text-generation": "text_generation.TextGeneration",
}


def task_of(model: keras.Model | ModelSpec) -> Task:
    """The task of a model, or of one that is not built yet."""
    identity = model if isinstance(model, ModelSpec) else spec_of(model)
    module, _, name = TASKS[identity.task].partition(".")
    return getattr(import_module(f"keras_fm.tasks.{module}"), name)(identity)
