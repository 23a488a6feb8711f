"""The parity of an export: each signature's outputs beside those of the Keras model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.tasks.base import Signature


def export_parity(signatures: Mapping[str, Signature], exported: Any) -> dict[str, Any]:
    """Run each signature's inputs on the model and on the export, and compare the outputs.

    Args:
        signatures: Of the Keras model itself.
        exported: The loaded SavedModel.

    Returns:
        For each signature `examples`, and `max_difference` of each output: of numbers the largest
        absolute difference, of strings how many differ.
    """
    return {
        name: _signature_parity(signature, exported.signatures[name])
        for name, signature in signatures.items()
    }


def _signature_parity(signature: Signature, exported: Any) -> dict[str, Any]:
    inputs = signature.parity_inputs or signature.example_inputs
    expected = signature(inputs)
    outputs = exported(**{name: tf.constant(value) for name, value in inputs.items()})
    return {
        "examples": max(len(value) for value in inputs.values()),
        "max_difference": {
            name: _difference(values, outputs[name].numpy()) for name, values in expected.items()
        },
    }


def _difference(expected: np.ndarray, actual: np.ndarray) -> float | int:
    if expected.dtype.kind == "f":
        return float(np.abs(expected - actual).max(initial=0))
    if expected.dtype.kind in "iu":
        return int(np.abs(expected.astype("int64") - actual.astype("int64")).max(initial=0))
    return int((expected != actual).sum())
