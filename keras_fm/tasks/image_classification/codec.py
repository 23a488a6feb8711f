"""Image classification by a server: the bytes of files in, class names and probabilities out."""

from typing import Any

import numpy as np

from keras_fm.preprocessing.images.inputs import check_image_inputs, to_image_files
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
    return {"image_bytes": np.array(to_image_files(inputs), object)}


CODEC = Codec(
    "serve_bytes",
    frozenset({"image_bytes"}),
    CLASS_OUTPUTS,
    _encode,
    decode_classes,
    format_classes,
    input_kind="image",
    check=check_image_inputs,
    explain_methods=("grad_cam", "occlusion", "integrated_gradients"),
    slices=slices_by("label", "brightness"),
)
