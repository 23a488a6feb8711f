"""The recipe of a character model."""

from keras_fm.registry.recipe import NonNegative, Recipe


class TextGenerationRecipe(Recipe, frozen=True, kw_only=True):
    """Adds the windows of the text.

    Attributes:
        sequence_length: Characters in a window; 0 for the whole text.
    """

    sequence_length: NonNegative = 0

    @property
    def augments(self) -> bool:
        """Whether the windows differ from epoch to epoch; they begin at another offset."""
        return True
