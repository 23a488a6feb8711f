"""What a served model takes and answers, as TF Serving's metadata says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_NUMPY = {"float": "float32", "double": "float64", "half": "float16"}  # TensorFlow's: numpy's


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: `"string"` or the name of numpy's dtype; in the shape None is any."""

    dtype: str
    shape: tuple[int | None, ...]

    @property
    def numpy(self) -> np.dtype:
        """The dtype of its array; strings are objects: bytes."""
        return np.dtype(object if self.dtype == "string" else self.dtype)


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a signature by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def parse_signatures(described: Mapping[str, Any]) -> dict[str, Signature]:
    """Signatures by name.

    Args:
        described: the JSON form of each `SignatureDef` by name, as REST answers it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no such form.
    """
    return {
        name: Signature(_tensors(one["inputs"]), _tensors(one["outputs"]))
        for name, one in sorted(described.items())
        if not name.startswith("__")  # TensorFlow's own
    }


def parse_protos(protos: Mapping[str, Any]) -> dict[str, Signature]:
    """The same of each `SignatureDef` itself."""
    from google.protobuf import json_format

    return parse_signatures(
        {
            name: json_format.MessageToDict(
                one,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, one in protos.items()
        }
    )


def _tensors(described: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: _tensor(one) for name, one in sorted(described.items())}


def _tensor(described: Mapping[str, Any]) -> TensorInfo:
    dtype = described["dtype"].removeprefix("DT_").lower()
    sizes = [int(one["size"]) for one in described["tensor_shape"]["dim"]]
    shape = tuple(None if size < 0 else size for size in sizes)
    return TensorInfo(_NUMPY.get(dtype, dtype), shape)
