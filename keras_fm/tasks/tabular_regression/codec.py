"""Regression on rows by a server: columns in, values out."""

from typing import Any

from keras_fm.formatting import format_value
from keras_fm.preprocessing.tables.inputs import check_table_inputs
from keras_fm.serving.codec import Arrays, ClassNames, Codec, Predictions, slices_by_column
from keras_fm.tasks.tabular_inputs import encode_rows


def _decode(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    return [{"value": value} for value in response["value"].tolist()]


def _format(name: str, prediction: dict[str, Any], top: int) -> str:
    return f"{name}: {format_value(prediction['value'])}"


CODEC = Codec(
    "serving_default",
    frozenset(),
    frozenset({"value"}),
    encode_rows,
    _decode,
    _format,
    input_kind="row",
    check=check_table_inputs,
    explain_methods=("occlusion", "integrated_gradients", "shap", "permutation_importance"),
    slices=slices_by_column,
)
