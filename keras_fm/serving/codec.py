"""Codecs: a task's raw inputs as a request to a server, and its predictions from the response.

Free of Keras and TensorFlow. The `codec` module of each task's package has a `CODEC`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.serving.signatures import Signature

Arrays = dict[str, np.ndarray]
Predictions = list[dict[str, Any]]
# From a response to the class names in the order of its logits; None where they are not known.
ClassNames = Callable[[Arrays], Sequence[str] | None]

CLASS_OUTPUTS = frozenset({"label", "logits", "probabilities"})


def check_nothing(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    """Accept all inputs and options."""


@dataclass(frozen=True)
class Codec:
    """How a task's raw inputs are sent to a server.

    Attributes:
        signature: The name of the signature.
        inputs: Its inputs; none for any columns of a table.
        outputs: Those of its outputs that the predictions are made of.
        encode: From the signature, raw inputs and options to a request, arrays by name.
        decode: From the request and the response to predictions.
        format: From the words for an input, its prediction, and how many classes to show, to a line
            for the terminal.
        input_kind: What an input is: `"image"`, `"text"`, `"row"` of a table, or `""` for anything
            else, for which no predictions are written to a file.
        check: From a model's name, its class names, raw inputs and options: raises a `KerasFmError`
            where it is known that `encode`, or a model here, would, before either is there.
    """

    signature: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    encode: Callable[..., Arrays]
    decode: Callable[[Arrays, Arrays, ClassNames], Predictions]
    format: Callable[[str, dict[str, Any], int], str]
    input_kind: str = ""
    check: Callable[..., None] = check_nothing

    def fits(self, signature: Signature) -> bool:
        """Return whether a server's signature is one of the task's."""
        has_columns = all(
            tensor.dtype in ("float32", "string") and tensor.shape == (None,)
            for tensor in signature.inputs.values()
        )
        takes = set(signature.inputs) == self.inputs if self.inputs else has_columns
        return takes and self.outputs <= set(signature.outputs)


def decode_classes(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    """Decode `label` and `probabilities`, the latter of all classes where they are known."""
    names = class_names(response)
    rows = zip(to_texts(response["label"]), response["probabilities"].tolist(), strict=True)
    return [
        {
            "label": label,
            "probabilities": dict(zip(names, row, strict=True)) if names else {label: max(row)},
        }
        for label, row in rows
    ]


def format_classes(name: str, prediction: dict[str, Any], top: int) -> str:
    """Write the most probable classes of a prediction."""
    return f"{name}: {format_top(prediction['probabilities'], top)}"


def format_top(probabilities: dict[str, float], top: int) -> str:
    """Write the most probable ones of some labels or tokens."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{label} {probability:.1%}" for label, probability in ranked[:top])


def to_texts(column: np.ndarray) -> list[str]:
    """Decode strings, which arrive as bytes."""
    return [text.decode("utf-8", "replace") for text in column]
