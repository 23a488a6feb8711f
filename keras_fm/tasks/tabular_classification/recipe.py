"""The recipe of a classifier of rows."""

from keras_fm.registry.recipe import BelowOne, ClassWeight
from keras_fm.tasks.tabular_recipe import TabularRecipe


class TabularClassificationRecipe(TabularRecipe, frozen=True, kw_only=True):
    """Adds what a training of a classifier of rows knows.

    Attributes:
        label_smoothing: As Keras' cross-entropy has it.
        class_weight: `"balanced"` gives all classes the same weight; `"none"` each example.
    """

    label_smoothing: BelowOne = 0.0
    class_weight: ClassWeight = "none"
