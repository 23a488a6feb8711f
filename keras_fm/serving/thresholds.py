"""The threshold of two classes: the probability of the second from which it is predicted."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.options import check_float

BALANCED = "balanced"
COSTS = ("false_positive", "false_negative")
# What `evaluate` takes: a probability, the best balanced accuracy, or the costs of both errors.
Threshold = float | Literal["balanced"] | Mapping[str, float]


def check_threshold(
    owner: str, threshold: Any, *, is_classifier: bool, class_names: Sequence[str] | None = None
) -> float | None:
    """Return the threshold as Python's float; None, which is the most probable class, stays.

    Args:
        owner: What has the option, for the error.
        threshold: What the user passed.
        is_classifier: Whether the predictions have probabilities of classes.
        class_names: Of the classifier, where they are known.

    Raises:
        InvalidInputError: It is no number from 0 to 1, or there are other than two classes.
        UnknownNameError: The predictions have no probabilities.
    """
    if threshold is None:
        return None
    _check_owner(owner, is_classifier=is_classifier, class_names=class_names)
    return check_float("threshold", threshold, 0.0, 1.0)


def check_threshold_choice(
    owner: str, threshold: Any, *, is_classifier: bool, class_names: Sequence[str] | None = None
) -> Threshold | None:
    """Return what `evaluate` takes as threshold; arguments and errors are those above.

    Raises:
        InvalidInputError: It is neither a number, nor the name of a criterion, nor the costs of
            errors.
    """
    if threshold is None:
        return None
    _check_owner(owner, is_classifier=is_classifier, class_names=class_names)
    if isinstance(threshold, str) and threshold == BALANCED:
        return "balanced"
    if isinstance(threshold, Mapping) and set(threshold) == set(COSTS):
        costs = {name: check_float(f"the cost {name}", threshold[name], 0.0) for name in COSTS}
        if any(costs.values()):
            return costs
    if isinstance(threshold, (str, Mapping)) or not _is_number(threshold):
        raise InvalidInputError(
            "threshold is a number from 0 to 1, 'balanced' (the best balanced accuracy), or the "
            "costs of errors, such as {'false_positive': 1, 'false_negative': 5}; received "
            f"{threshold!r:.80}"
        )
    return check_float("threshold", threshold, 0.0, 1.0)


def apply_threshold(
    predictions: Sequence[dict[str, Any]], threshold: float
) -> list[dict[str, Any]]:
    """Return predictions whose `label` is the second class where its probability is high enough.

    Args:
        predictions: With `label` and `probabilities`, in the order of the classes.
        threshold: The least probability of the second class.

    Raises:
        InvalidInputError: There are other than two classes, or a server did not name them.
    """
    return [_apply(prediction, threshold) for prediction in predictions]


def _apply(prediction: dict[str, Any], threshold: float) -> dict[str, Any]:
    probabilities = prediction["probabilities"]
    if len(probabilities) == 1:  # a classifier has two classes or more
        raise InvalidInputError(
            f"threshold={threshold} needs the names of both classes, of which the server tells the "
            "predicted one alone: give class_names"
        )
    _check_two("this model", [*probabilities])
    negative, positive = probabilities
    return {
        **prediction,
        "label": positive if probabilities[positive] >= threshold else negative,
    }


def _check_owner(owner: str, *, is_classifier: bool, class_names: Sequence[str] | None) -> None:
    if not is_classifier:
        raise UnknownNameError(f"{owner} has no option 'threshold', which is one of classifiers")
    if class_names:
        _check_two(owner, class_names)


def _check_two(owner: str, class_names: Sequence[str]) -> None:
    if len(class_names) != 2:
        raise InvalidInputError(
            f"threshold is for two classes; received a model of {len(class_names)}, {owner}, which "
            "predicts the most probable one"
        )


def _is_number(value: Any) -> bool:
    try:
        check_float("threshold", value)
    except InvalidInputError:
        return False
    return True
