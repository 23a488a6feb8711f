"""Text classification by a server: texts in, class names and probabilities out."""

from typing import Any

from keras_fm.preprocessing.texts.inputs import check_text_inputs, read_texts
from keras_fm.serving.codec import (
    CLASS_OUTPUTS,
    Arrays,
    Codec,
    decode_classes,
    format_classes,
    slices_by,
)
from keras_fm.serving.signatures import Signature


def _encode(signature: Signature, inputs: Any) -> Arrays:
    return {"text": read_texts(inputs)}


CODEC = Codec(
    "serving_default",
    frozenset({"text"}),
    CLASS_OUTPUTS | {"embedding"},
    _encode,
    decode_classes,
    format_classes,
    input_kind="text",
    check=check_text_inputs,
    explain_methods=("occlusion", "attention", "integrated_gradients"),
    slices=slices_by("label", "length"),
)
