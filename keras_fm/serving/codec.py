"""Codecs: a task's raw inputs as a request to a server, and its predictions from the response.

Free of Keras and TensorFlow. The `codec` module of each task's package has a `CODEC`.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.serving.signatures import Signature

Arrays = dict[str, np.ndarray]
Predictions = list[dict[str, Any]]
# From a response to the class names in the order of its logits; None where they are not known.
ClassNames = Callable[[Arrays], Sequence[str] | None]

CLASS_OUTPUTS = frozenset({"label", "logits", "probabilities"})
CALIBRATED_OUTPUTS = frozenset({"calibrated_probabilities", "prediction_set", "in_distribution"})


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
        explain_methods: Those of `explain` for a model of the task, the default one first; None
            where only the model tells.
        slices: From the inputs in a model's specification to what its metrics can be sliced by;
            None where only the model tells.
    """

    signature: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    encode: Callable[..., Arrays]
    decode: Callable[[Arrays, Arrays, ClassNames], Predictions]
    format: Callable[[str, dict[str, Any], int], str]
    input_kind: str = ""
    check: Callable[..., None] = check_nothing
    explain_methods: tuple[str, ...] | None = None
    slices: Callable[[Sequence[Mapping[str, Any]]], tuple[str, ...]] | None = None

    @property
    def takes_seed(self) -> bool:
        """Whether the outputs are random: each input of a generator has a seed."""
        return "seed" in inspect.signature(self.encode).parameters

    def fits(self, signature: Signature) -> bool:
        """Return whether a server's signature is one of the task's."""
        has_columns = all(
            tensor.dtype in ("float32", "string") and tensor.shape == (None,)
            for tensor in signature.inputs.values()
        )
        takes = set(signature.inputs) == self.inputs if self.inputs else has_columns
        return takes and self.outputs <= set(signature.outputs)


def slices_by(*names: str) -> Callable[[Sequence[Mapping[str, Any]]], tuple[str, ...]]:
    """Return a codec's `slices` of a model whose metrics are sliced by these."""
    return lambda inputs: names


def slices_by_column(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return that metrics are sliced by each column."""
    return tuple(column["name"] for column in inputs)


def slices_by_label_and_column(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return that metrics are sliced by class, and by each column."""
    return tuple(dict.fromkeys(["label", *slices_by_column(inputs)]))


def no_slices(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return that metrics are not sliced."""
    return ()


def decode_classes(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    """Decode `label` and `probabilities`, the latter of all classes where they are known.

    The response of a calibrated model has what `calibrated_predictions` returns as well.
    """
    names = class_names(response)
    labels = to_texts(response["label"])
    rows = zip(labels, response["probabilities"].tolist(), strict=True)
    predictions: Predictions = [
        {
            "label": label,
            "probabilities": dict(zip(names, row, strict=True)) if names else {label: max(row)},
        }
        for label, row in rows
    ]
    if not set(response) >= CALIBRATED_OUTPUTS:
        return predictions
    details = calibrated_predictions(
        response["calibrated_probabilities"],
        response["prediction_set"],
        response["in_distribution"],
        names,
        labels,
    )
    return [{**pair[0], **pair[1]} for pair in zip(predictions, details, strict=True)]


def calibrated_predictions(
    probabilities: np.ndarray,
    sets: np.ndarray,
    in_distribution: np.ndarray,
    names: Sequence[str] | None,
    labels: Sequence[str] = (),
) -> Predictions:
    """Return what a prediction of a calibrated classifier has besides, a dict a row.

    Args:
        probabilities: `[batch, classes]`.
        sets: Which classes are in each prediction set, bool `[batch, classes]`.
        in_distribution: Bool `[batch]`.
        names: Of the classes; None where they are not known.
        labels: The predicted ones, for that case.

    Returns:
        `calibrated_probabilities` by label, `prediction_set`, the labels in it, the most probable
        first, and `in_distribution`. Without names there is the predicted label alone, and numbers
        of the other classes in a set.
    """
    rows = []
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    for index, row in enumerate(probabilities):
        members = [int(number) for number in order[index] if sets[index, number]]
        if names is not None:
            scores = dict(zip(names, row.tolist(), strict=True))
            members_named: list[Any] = [names[number] for number in members]
        else:
            scores = {labels[index]: float(row.max())}
            members_named = [labels[index], *members[1:]]
        rows.append(
            {
                "calibrated_probabilities": scores,
                "prediction_set": members_named,
                "in_distribution": bool(in_distribution[index]),
            }
        )
    return rows


def format_classes(name: str, prediction: dict[str, Any], top: int) -> str:
    """Write the most probable classes of a prediction; before them a label that is another one."""
    probabilities, label = prediction["probabilities"], prediction["label"]
    by_threshold = f"{label} by the threshold; " * (
        probabilities[label] < max(probabilities.values())
    )
    line = f"{name}: {by_threshold}{format_top(probabilities, top)}"
    if "prediction_set" not in prediction:
        return line
    calibrated = prediction["calibrated_probabilities"][label]
    members = ", ".join(map(str, prediction["prediction_set"]))
    unfamiliar = "" if prediction["in_distribution"] else "; unlike the data it was calibrated on"
    return f"{line} (calibrated: {label} {calibrated:.1%}; set: {members}{unfamiliar})"


def format_top(probabilities: dict[str, float], top: int) -> str:
    """Write the most probable ones of some labels or tokens."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{label} {probability:.1%}" for label, probability in ranked[:top])


def to_texts(column: np.ndarray) -> list[str]:
    """Decode strings, which arrive as bytes."""
    return [text.decode("utf-8", "replace") for text in column]
