"""Explanations in words."""

import numpy as np

from keras_fm.explanation.attribution import Attribution
from keras_fm.formatting import format_value
from keras_fm.preprocessing.images.pixels import position_before

NUM_NAMED = 6  # features that are named for and against a prediction


def describe(attribution: Attribution, method: str) -> str:
    """Write the prediction, the method, and the features or the place with the highest scores."""
    text = f"{title_of(attribution, method)}{_describe_scores(attribution, method)}"
    return text if attribution.score is None else f"{text}; {sum_of(attribution)}"


def _describe_scores(attribution: Attribution, method: str) -> str:
    if attribution.image is not None:
        return f": most of all around {_format_position(attribution)}"
    scores = attribution.scores
    order = np.argsort(-scores, kind="stable")
    if method == "attention":  # which does not say what for
        return f", attended to: {_format_features(attribution, order, sign='')}"
    text = f", for: {_format_features(attribution, order[scores[order] > 0])}"
    against = order[::-1][scores[order[::-1]] < 0]
    return f"{text}; against: {_format_features(attribution, against)}" if len(against) else text


def title_of(attribution: Attribution, method: str) -> str:
    """Write the prediction and the method."""
    return f"{_format_prediction(attribution)}; {method}"


def sum_of(attribution: Attribution) -> str:
    """Write what the scores add up to, and what of the difference they leave."""
    score, base_score, residual = attribution.score, attribution.base_score, attribution.residual
    assert score is not None
    assert base_score is not None
    assert residual is not None
    total = format_score(attribution, float(np.sum(attribution.scores)))
    start, end = (format_score(attribution, value, "") for value in (base_score, score))
    share = abs(residual) / max(abs(score - base_score), 1e-12)
    rest = "" if share < 0.0005 else f", {share:.1%} off"
    return f"all {total}, from {start} to {end}{rest}"


def format_score(attribution: Attribution, score: float, sign: str = "+") -> str:
    """Return a score with its sign, that of a value in the unit of the value."""
    if "value" not in attribution.prediction:
        return f"{score:{sign}.2f}"
    return f"{'+' if score >= 0 and sign else ''}{format_value(score)}"


def _format_position(attribution: Attribution) -> str:
    """Write where the highest score is, in pixels of the image that the user gave."""
    rows, columns = attribution.scores.shape
    size = (rows, columns) if attribution.photo is None else attribution.photo.size
    position = divmod(int(attribution.scores.argmax()), columns)
    row, column = position_before(position, (rows, columns), size)
    return f"row {row + 1:,} of {size[0]:,}, column {column + 1:,} of {size[1]:,} pixels"


def _format_features(attribution: Attribution, indices: np.ndarray, sign: str = "+") -> str:
    features = [
        f"{attribution.features[index]} "
        f"{format_score(attribution, attribution.scores[index], sign)}"
        for index in indices[:NUM_NAMED]
    ]
    return ", ".join(features) or "nothing"


def _format_prediction(attribution: Attribution) -> str:
    if "value" in attribution.prediction:
        return format_value(attribution.prediction["value"])
    label = attribution.prediction["label"]
    return f"{label} {attribution.prediction['probabilities'][label]:.1%}"
