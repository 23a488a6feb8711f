"""The recipe of an image classifier."""

from keras_fm.registry.recipe import BelowOne, ClassWeight, NonNegativeFloat
from keras_fm.tasks.image_recipe import AugmentationRecipe


class ImageClassificationRecipe(AugmentationRecipe, frozen=True, kw_only=True):
    """Adds what a training of a classifier of images knows.

    Attributes:
        label_smoothing: As Keras' cross-entropy has it.
        class_weight: `"balanced"` gives all classes the same weight; `"none"` each example.
        generated_ratio: How many images a generator adds to the training set, as a multiple of its
            own.
    """

    fine_tuning_group = "images"

    label_smoothing: BelowOne = 0.0
    class_weight: ClassWeight = "none"
    generated_ratio: NonNegativeFloat = 0.0
