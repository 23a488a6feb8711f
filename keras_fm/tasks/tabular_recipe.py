"""The recipe fields of models of tables."""

from keras_fm.registry.recipe import BelowOne, Recipe


class TabularRecipe(Recipe, frozen=True, kw_only=True):
    """Adds what a training on tables knows.

    Attributes:
        cell_dropout: The fraction of cells that is hidden, so that a model learns to do without.
    """

    fine_tuning_group = "tables"

    cell_dropout: BelowOne = 0.0

    @property
    def augments(self) -> bool:
        """Whether a row differs from epoch to epoch."""
        return bool(self.cell_dropout)
