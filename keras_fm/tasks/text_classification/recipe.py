"""The recipe of a text classifier."""

from keras_fm.registry.recipe import BelowOne, ClassWeight, NonNegativeFloat, Recipe


class TextClassificationRecipe(Recipe, frozen=True, kw_only=True):
    """Adds what a training on texts knows.

    Attributes:
        label_smoothing: As Keras' cross-entropy has it.
        class_weight: `"balanced"` gives all classes the same weight; `"none"` each example.
        token_dropout: The fraction of tokens that is replaced by the mask.
        adversarial_epsilon: The norm of the adversarial perturbation of a text's token embeddings,
            as a multiple of the root mean square of their values; 0 for none.
    """

    fine_tuning_group = "texts"

    label_smoothing: BelowOne = 0.0
    class_weight: ClassWeight = "none"
    token_dropout: BelowOne = 0.0
    adversarial_epsilon: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        """Check that the embeddings are trained that would be perturbed."""
        super().__post_init__()
        if self.adversarial_epsilon and self.trainable == "head":
            raise ValueError(
                "field 'adversarial_epsilon': expected 0.0 where trainable is \"head\", which "
                f"sees no tokens; received {self.adversarial_epsilon}"
            )

    @property
    def augments(self) -> bool:
        """Whether a text differs from epoch to epoch."""
        return bool(self.token_dropout)
