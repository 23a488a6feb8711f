"""TF Serving's REST form: rows of named values as JSON, bytes as base64.

Source: https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fm.serving.signatures import TensorInfo


def encode_request(signature: str, inputs: Mapping[str, np.ndarray]) -> str:
    """The body of a request, one instance a row."""
    rows = zip(*inputs.values(), strict=True)
    instances = [
        {name: _write(name, value) for name, value in zip(inputs, row, strict=True)} for row in rows
    ]
    return json.dumps({"signature_name": signature, "instances": instances})


def decode_request(body: str, about: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """The inputs that a body means; `about` says what they are."""
    return to_arrays(json.loads(body)["instances"], about)


def to_arrays(rows: list[Any], about: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Rows as one array for each name; `about` says what they are.

    Raises:
        KeyError, TypeError, ValueError: they are something else.
    """
    if len(about) == 1:  # a server leaves the name out where there is but one output
        [name] = about
        rows = [row if isinstance(row, dict) and name in row else {name: row} for row in rows]
    return {
        name: np.array([_read(row[name]) for row in rows], tensor.numpy)
        for name, tensor in about.items()
    }


def _write(name: str, value: Any) -> Any:
    """One input's value of one row. A name that ends in `_bytes` means base64 to the server."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.kind in "iub" else [_write(name, one) for one in value]
    if isinstance(value, bytes):
        try:
            if not name.endswith("_bytes"):
                return value.decode()
        except UnicodeDecodeError:  # JSON has no other way to say it
            pass
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, np.float32):
        return float(str(value))  # 61.7, not 61.70000076293945
    return value.item() if isinstance(value, np.generic) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    if isinstance(value, list):
        return [_read(one) for one in value]
    return value.encode() if isinstance(value, str) else value
