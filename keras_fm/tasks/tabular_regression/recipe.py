"""The recipe of a regression on a table."""

from keras_fm.tasks.tabular_recipe import TabularRecipe


class TabularRegressionRecipe(TabularRecipe, frozen=True, kw_only=True):
    """A regression on a table adds nothing to what every table knows."""
