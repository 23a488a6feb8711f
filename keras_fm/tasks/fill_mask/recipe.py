"""The recipe of a masked language model."""

from keras_fm.registry.recipe import BelowOne, NonNegative, Recipe


class FillMaskRecipe(Recipe, frozen=True, kw_only=True):
    """Adds the windows of the texts, and what is masked in them.

    Attributes:
        mlm_probability: The fraction of tokens that is predicted.
        sequence_length: Tokens in a window; 0 for one window of all.
        long_sequence_length: The same from the fraction `long_sequence_from` of each cycle's epochs
            on, fewer windows in a batch; 0 for none.
        long_sequence_from: A fraction of the epochs of a cycle.
    """

    mlm_probability: BelowOne = 0.0
    sequence_length: NonNegative = 0
    long_sequence_length: NonNegative = 0
    long_sequence_from: BelowOne = 0.9

    @property
    def augments(self) -> bool:
        """Whether the windows differ from epoch to epoch."""
        return True
