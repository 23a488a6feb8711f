"""Classification of rows by a server: columns in, class names and probabilities out."""

from keras_fm.preprocessing.tables.inputs import check_table_inputs
from keras_fm.serving.codec import (
    CLASS_OUTPUTS,
    Codec,
    decode_classes,
    format_classes,
    slices_by_label_and_column,
)
from keras_fm.tasks.tabular_inputs import encode_rows

CODEC = Codec(
    "serving_default",
    frozenset(),
    CLASS_OUTPUTS,
    encode_rows,
    decode_classes,
    format_classes,
    input_kind="row",
    check=check_table_inputs,
    explain_methods=("occlusion", "integrated_gradients", "shap", "permutation_importance"),
    slices=slices_by_label_and_column,
)
