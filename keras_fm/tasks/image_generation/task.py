"""The task of image generation."""

from keras_fm.tasks.base import Task
from keras_fm.tasks.image_generation.data import GeneratorData
from keras_fm.tasks.image_generation.objective import GANObjective
from keras_fm.tasks.image_generation.predict import GeneratorPredictor
from keras_fm.tasks.image_generation.recipe import GANRecipe
from keras_fm.tasks.image_generation.serve import GeneratorServing
from keras_fm.tasks.image_generation.summaries import GeneratorSummaries


class ImageGeneration(Task):
    """Generates uint8 images of one shape, each of a class that is asked for.

    A generator is trained against the `discriminator` that `model.py` has beside `build`.
    """

    recipe_class = GANRecipe
    unit = "images"
    data_class = GeneratorData
    predictor_class = GeneratorPredictor
    objective_class = GANObjective
    serving_class = GeneratorServing
    summaries_class = GeneratorSummaries


TASK = ImageGeneration
