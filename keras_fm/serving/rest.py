"""JSON bodies of TF Serving's REST API in row format; bytes are base64.

Source: https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fm.serving.signatures import TensorInfo


def encode_request(signature: str, inputs: Mapping[str, np.ndarray]) -> str:
    """Encode the body of a predict request, one instance per row."""
    rows = zip(*inputs.values(), strict=True)
    instances = [
        {name: _to_json(name, value) for name, value in zip(inputs, row, strict=True)}
        for row in rows
    ]
    return json.dumps({"signature_name": signature, "instances": instances})


def decode_request(body: str, tensors: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Decode the inputs in a request's body.

    Args:
        body: As `encode_request` returns it.
        tensors: The signature's inputs.
    """
    return to_arrays(json.loads(body)["instances"], tensors)


def to_arrays(rows: list[Any], tensors: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Collect rows into an array per name.

    Args:
        rows: Instances of a request, or predictions of a response.
        tensors: The signature's inputs or outputs.

    Raises:
        KeyError, TypeError, ValueError: The rows do not fit the tensors.
    """
    if len(tensors) == 1:  # a server leaves the name out where there is but one output
        [name] = tensors
        rows = [row if isinstance(row, dict) and name in row else {name: row} for row in rows]
    return {
        name: np.array([_from_json(row[name]) for row in rows], tensor.numpy)
        for name, tensor in tensors.items()
    }


def _to_json(name: str, value: Any) -> Any:
    """Convert an input's value of one row; a name that ends in `_bytes` means base64 to TFS."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "iub":
            return value.tolist()
        return [_to_json(name, item) for item in value]
    if isinstance(value, bytes):
        try:
            if not name.endswith("_bytes"):
                return value.decode()
        except UnicodeDecodeError:  # JSON has no other form for it
            pass
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, np.float32):
        return float(str(value))  # 61.7, not 61.70000076293945
    return value.item() if isinstance(value, np.generic) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return value.encode() if isinstance(value, str) else value
