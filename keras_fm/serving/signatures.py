"""Signatures of a served model, as TF Serving's metadata describes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_NUMPY_DTYPES = {"float": "float32", "double": "float64", "half": "float16"}  # by TensorFlow's name


@dataclass(frozen=True)
class TensorInfo:
    """Dtype and shape of an input or output.

    Attributes:
        dtype: "string", or numpy's name.
        shape: None for a dimension of any size.
    """

    dtype: str
    shape: tuple[int | None, ...]

    @property
    def numpy(self) -> np.dtype:
        """The dtype of its numpy array; strings are bytes in an object array."""
        return np.dtype(object if self.dtype == "string" else self.dtype)


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature, by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def parse_signatures(definitions: Mapping[str, Any]) -> dict[str, Signature]:
    """Parse signatures by name.

    Args:
        definitions: The JSON form of each `SignatureDef` by name, as REST returns it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: The JSON has another form.
    """
    return {
        name: Signature(_tensor_infos(definition["inputs"]), _tensor_infos(definition["outputs"]))
        for name, definition in sorted(definitions.items())
        if not name.startswith("__")  # TensorFlow's internal signatures
    }


def parse_protos(protos: Mapping[str, Any]) -> dict[str, Signature]:
    """Parse signatures by name from `SignatureDef` messages."""
    from google.protobuf import json_format

    return parse_signatures(
        {
            name: json_format.MessageToDict(
                proto,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, proto in protos.items()
        }
    )


def _tensor_infos(definitions: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: _tensor_info(definition) for name, definition in sorted(definitions.items())}


def _tensor_info(definition: Mapping[str, Any]) -> TensorInfo:
    dtype = definition["dtype"].removeprefix("DT_").lower()
    sizes = [int(dimension["size"]) for dimension in definition["tensor_shape"]["dim"]]
    shape = tuple(None if size < 0 else size for size in sizes)
    return TensorInfo(_NUMPY_DTYPES.get(dtype, dtype), shape)
