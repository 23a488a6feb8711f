"""Predictions as columns of a table."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from keras_fm.preprocessing.tables.columns import unique_name
from keras_fm.serving.codec import CLASS_OUTPUTS, Codec

Cells = TypeVar("Cells")
PredictionColumns = dict[str, np.ndarray | list[str]]
_PREFIX = "predicted_"  # of a column that is called as one of the input


def prediction_columns(predictions: Sequence[Mapping[str, Any]]) -> PredictionColumns:
    """Return the predictions of a model as columns by name, float32 or strings.

    Of a classifier `label`, its `probability`, and `probability_NAME` of each class; of a
    calibrated one also the label's `calibrated_probability`, the `prediction_set`, a JSON list of
    labels, and `in_distribution`, "true" or "false"; of a regression and of generated texts
    `prediction`; of texts with masks `prediction`, the most probable token of each mask, and
    `probability`, the product of theirs.

    Args:
        predictions: What `pipeline` returns, one or more.
    """
    prediction = predictions[0]
    if "value" in prediction:
        return {"prediction": _to_floats([x["value"] for x in predictions])}
    if "text" in prediction:
        return {"prediction": [x["text"] for x in predictions]}
    if "masks" in prediction:
        return _mask_columns([x["masks"] for x in predictions])
    columns = _class_columns(
        [x["label"] for x in predictions], [x["probabilities"] for x in predictions]
    )
    return columns | _calibrated_columns(predictions) if "prediction_set" in prediction else columns


def column_dtypes(codec: Codec, class_names: Sequence[str]) -> dict[str, str]:
    """Return which columns `prediction_columns` makes, "string" or "float32", before it does.

    Those of a calibrated classifier are not among them.

    Args:
        codec: Of the model's task.
        class_names: Of a classifier.
    """
    if codec.outputs >= CLASS_OUTPUTS:
        names = [f"probability_{name}" for name in class_names]
        return {"label": "string", "probability": "float32", **dict.fromkeys(names, "float32")}
    if "value" in codec.outputs:
        return {"prediction": "float32"}
    has_masks = "scores" in codec.outputs
    return {"prediction": "string", **({"probability": "float32"} if has_masks else {})}


def without_clashes(columns: Mapping[str, Cells], taken: Collection[str]) -> dict[str, Cells]:
    """Rename the columns that are called as one of the input, such as `label` beside `label`."""
    names = {name: name if name not in taken else f"{_PREFIX}{name}" for name in columns}
    return {unique_name(names[name], taken): cells for name, cells in columns.items()}


def _mask_columns(masks: Sequence[Sequence[Mapping[str, float]]]) -> PredictionColumns:
    best = [[max(mask.items(), key=lambda pair: pair[1]) for mask in of_text] for of_text in masks]
    return {
        "prediction": [" ".join(token for token, _ in tokens) for tokens in best],
        "probability": _to_floats([math.prod(share for _, share in tokens) for tokens in best]),
    }


def _class_columns(
    labels: list[str], probabilities: Sequence[Mapping[str, float]]
) -> PredictionColumns:
    of_label = [row[label] for row, label in zip(probabilities, labels, strict=True)]
    columns: PredictionColumns = {"label": labels, "probability": _to_floats(of_label)}
    if len(probabilities[0]) > 1:  # a server names no class but the predicted one
        for name in probabilities[0]:
            columns[f"probability_{name}"] = _to_floats([row[name] for row in probabilities])
    return columns


def _calibrated_columns(predictions: Sequence[Mapping[str, Any]]) -> PredictionColumns:
    return {
        "calibrated_probability": _to_floats(
            [x["calibrated_probabilities"][x["label"]] for x in predictions]
        ),
        "prediction_set": [
            json.dumps(x["prediction_set"], ensure_ascii=False) for x in predictions
        ],
        "in_distribution": [json.dumps(x["in_distribution"]) for x in predictions],
    }


def _to_floats(values: Sequence[float]) -> np.ndarray:
    """Return numbers as a model computes them: float32, which is written with fewer digits."""
    return np.asarray(values, "float32")
