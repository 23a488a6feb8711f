"""The recipe fields of models of tables."""

from keras_fm.registry.recipe import BelowOne, NonNegative, Recipe


class TabularRecipe(Recipe, frozen=True, kw_only=True):
    """Adds what a training on tables knows.

    Attributes:
        cell_dropout: The fraction of cells that is hidden, so that a model learns to do without.
        folds: Of the rows. Each member of an ensemble learns from all but one, which validates it:
            it ends with the weights of its lowest loss there. So every row trains and validates. 0
            holds `validation_examples` out instead.
        text_buckets: How many buckets the words of a column of free text in a user's own table are
            hashed to, whose counts are features; 0 leaves such columns out.
    """

    fine_tuning_group = "tables"

    cell_dropout: BelowOne = 0.0
    folds: NonNegative = 0
    text_buckets: NonNegative = 0

    def __post_init__(self) -> None:
        """Check what one field means for another."""
        super().__post_init__()
        if self.folds == 1:
            raise ValueError("field 'folds': expected 0 for none, or from 2 on; received 1")
        if self.folds and (self.teacher or self.trainable != "all"):
            raise ValueError(
                f"field 'folds': all layers learn, and from labels alone; received {self.folds}, "
                f"teacher = {self.teacher!r} and trainable = {self.trainable!r}"
            )

    @property
    def augments(self) -> bool:
        """Whether a row differs from epoch to epoch."""
        return bool(self.cell_dropout)
