"""The most probable classes of predictions, sorted, as Hugging Face's pipelines return them."""

from collections.abc import Iterable
from typing import Any

from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.options import check_int

Ranking = list[dict[str, Any]]


def check_top_k(owner: str, top_k: Any, *, is_classifier: bool) -> int | None:
    """Return `top_k` as an integer; None, which is the default, stays.

    Args:
        owner: What has the option, for the error.
        top_k: What the user passed.
        is_classifier: Whether the predictions have probabilities of classes.

    Raises:
        InvalidInputError: It is no whole number from 1.
        UnknownNameError: The predictions have no probabilities.
    """
    if top_k is None:
        return None
    if not is_classifier:
        raise UnknownNameError(f"{owner} has no option 'top_k', which is one of classifiers")
    return check_int("top_k", top_k, 1)


def rank(predictions: Iterable[dict[str, Any]], top_k: int) -> list[Ranking]:
    """Return `[{"label", "score"}, ...]` of each prediction, the most probable first.

    Args:
        predictions: With `probabilities`.
        top_k: How many, at most.

    Raises:
        InvalidInputError: A server did not name the other classes.
    """
    return [_rank(prediction["probabilities"], top_k) for prediction in predictions]


def _rank(probabilities: dict[str, float], top_k: int) -> Ranking:
    if top_k > 1 and len(probabilities) == 1:  # a classifier has two classes or more
        raise InvalidInputError(
            f"top_k={top_k} needs the names of all classes, of which the server tells the "
            "predicted one alone: give class_names"
        )
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return [{"label": label, "score": score} for label, score in ranked[:top_k]]
