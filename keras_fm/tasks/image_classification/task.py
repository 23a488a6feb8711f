"""The task of image classification."""

from keras_fm.tasks.base import Task
from keras_fm.tasks.image_classification.data import ImageData
from keras_fm.tasks.image_classification.objective import ImageObjective
from keras_fm.tasks.image_classification.predict import ImagePredictor
from keras_fm.tasks.image_classification.recipe import ImageClassificationRecipe
from keras_fm.tasks.image_classification.serve import ImageServing
from keras_fm.tasks.image_classification.summaries import ImageSummaries


class ImageClassification(Task):
    """Classifies uint8 images 0..255 of one shape; raw images of any size are resized."""

    recipe_class = ImageClassificationRecipe
    unit = "images"
    data_class = ImageData
    predictor_class = ImagePredictor
    objective_class = ImageObjective
    serving_class = ImageServing
    summaries_class = ImageSummaries


TASK = ImageClassification
