"""The recipe of a generator that is trained against a discriminator."""

from keras_fm.registry.recipe import NonNegativeFloat
from keras_fm.tasks.image_recipe import AugmentationRecipe


class GANRecipe(AugmentationRecipe, frozen=True, kw_only=True):
    """Adds what the pair of networks needs.

    Attributes:
        discriminator_learning_rate: The peak of the discriminator's schedule; 0 for the
            generator's.
        r1_gamma: The weight of the R1 gradient penalty.
    """

    discriminator_learning_rate: NonNegativeFloat = 0.0
    r1_gamma: NonNegativeFloat = 0.0
