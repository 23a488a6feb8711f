"""What is made of the probabilities of classes: the best of them, or a label by a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.serving import ranking, thresholds


@dataclass(frozen=True)
class ClassChoice:
    """Selects what is returned of each prediction.

    Attributes:
        top_k: How many classes to return, sorted; None for all, by label.
        threshold: From which probability on the second of two classes is the label; None for the
            more probable one.
    """

    top_k: int | None = None
    threshold: float | None = None

    @classmethod
    def of(
        cls,
        owner: str,
        top_k: Any,
        threshold: Any,
        *,
        is_classifier: bool,
        class_names: Sequence[str] | None = None,
    ) -> "ClassChoice":
        """Check both options and return the choice.

        Args:
            owner: What has the options, for the error.
            top_k: What the user passed.
            threshold: What the user passed.
            is_classifier: Whether the predictions have probabilities of classes.
            class_names: Of the classifier, where they are known.

        Raises:
            InvalidInputError: A value does not fit, or both were passed.
            UnknownNameError: The predictions have no probabilities.
        """
        choice = cls(
            ranking.check_top_k(owner, top_k, is_classifier=is_classifier),
            thresholds.check_threshold(
                owner, threshold, is_classifier=is_classifier, class_names=class_names
            ),
        )
        if choice.top_k is not None and choice.threshold is not None:
            raise InvalidInputError(
                "top_k sorts classes by their probabilities, and threshold chooses one of two: "
                f"give one of them; received top_k={choice.top_k}, threshold={choice.threshold}"
            )
        return choice

    def __call__(self, predictions: list[dict[str, Any]]) -> list[Any]:
        """Return each prediction as chosen."""
        if self.top_k is not None:
            return ranking.rank(predictions, self.top_k)
        if self.threshold is not None:
            return thresholds.apply_threshold(predictions, self.threshold)
        return predictions
