"""Image generation by a server: labels and seeds in, PNG files out."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fm.errors import UnknownNameError, suggest
from keras_fm.options import check_int
from keras_fm.preprocessing.texts.inputs import check_text_inputs, read_texts
from keras_fm.serving.codec import Arrays, ClassNames, Codec, Predictions, slices_by, to_texts
from keras_fm.serving.signatures import Signature

MAX_SEED = 2**62


def check_label(name: str, label: str, labels: Sequence[str]) -> None:
    """Raise an `UnknownNameError` where the model of this name has no such label."""
    if label not in labels:
        raise UnknownNameError(f"{name} has no label {label!r}. {suggest(label, labels)}")


def _check(name: str, labels: Sequence[str], inputs: Any, *, seed: int = 0) -> None:
    for label in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        if isinstance(label, str):
            check_label(name, label, labels)
    check_text_inputs(name, labels, inputs)
    check_int("seed", seed, 0, MAX_SEED)


def _encode(signature: Signature, inputs: Any, *, seed: int = 0) -> Arrays:
    labels = read_texts(inputs)
    seed = check_int("seed", seed, 0, MAX_SEED)
    return {"label": labels, "seed": np.arange(seed, seed + len(labels), dtype="int64")}


def _decode(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    from PIL import Image

    images = [np.array(Image.open(io.BytesIO(file))) for file in response["image_bytes"]]
    rows = zip(to_texts(request["label"]), request["seed"].tolist(), images, strict=True)
    return [
        {"label": label, "seed": seed, "image": image if image.ndim == 3 else image[..., None]}
        for label, seed, image in rows
    ]


def _format(name: str, prediction: dict[str, Any], top: int) -> str:
    return f"{name}: {prediction['file']}"  # where the command line wrote it


CODEC = Codec(
    "sample",
    frozenset({"label", "seed"}),
    frozenset({"image_bytes"}),
    _encode,
    _decode,
    _format,
    check=_check,
    explain_methods=(),
    slices=slices_by("label"),
)
