"""How TF Serving reads and writes the JSON of its REST, by `json_tensor.cc`: rules and messages."""

import base64
import json

import numpy as np
import tensorflow as tf


class RequestError(Exception):
    """An error response: its message, and TensorFlow's name of the status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def from_rows(rows, tensors):
    """Read instances as `FillTensorMapFromInstancesList` in `json_tensor.cc` does."""
    if not isinstance(rows, list):
        raise RequestError("INVALID_ARGUMENT", "Excepting 'instances' to be an list/array")
    if not rows:
        raise RequestError("INVALID_ARGUMENT", "No values in 'instances' array")
    if len(tensors) > 1 and not isinstance(rows[0], dict):
        raise RequestError(
            "INVALID_ARGUMENT",
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        )
    is_named = isinstance(rows[0], dict) and set(rows[0]) != {"b64"}
    columns = {name: [] for name in tensors}
    for number, row in enumerate(rows):
        cells = row if is_named else {next(iter(tensors)): row}
        for name, value in cells.items():
            try:
                if name not in tensors:
                    raise RequestError("", f"JSON object: does not have named input: {name}")
                array = _to_array(value, tensors[name].dtype)
                if columns[name] and columns[name][0].shape != array.shape:
                    raise RequestError(
                        "",
                        f"Expecting tensor size: {columns[name][0].size} but got: {array.size}",
                    )
            except RequestError as error:
                raise RequestError(
                    "INVALID_ARGUMENT",
                    f"Failed to process element: {number} key: {name} of 'instances' list. "
                    f"Error: INVALID_ARGUMENT: {error}",
                ) from None
            columns[name].append(array)
        if set(cells) != set(tensors):
            raise RequestError(
                "INVALID_ARGUMENT",
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{json.dumps(row)} keys must be equal to: {','.join(sorted(tensors))}",
            )
    return {name: np.stack(arrays) for name, arrays in columns.items()}


def from_columns(columns, tensors):
    """Read inputs as `FillTensorMapFromInputsMap` does."""
    if not isinstance(columns, dict) or set(columns) == {"b64"}:
        if len(tensors) > 1:
            raise RequestError(
                "INVALID_ARGUMENT",
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map",
            )
        columns = {next(iter(tensors)): columns}
    for name in tensors:
        if name not in columns:
            raise RequestError(
                "INVALID_ARGUMENT", f"Missing named input: {name} in 'inputs' object."
            )
    return {name: _to_array(columns[name], tensor.dtype) for name, tensor in tensors.items()}


def _to_array(value, dtype):
    """Read a tensor as `FillTensorProto` does: the first item of a list has the shape of all."""
    shape, item = [], value
    while isinstance(item, list):
        shape.append(len(item))
        if not item:
            break
        item = item[0]
    cells = []

    def fill(item, level):
        if not isinstance(item, list):
            if level != len(shape):
                raise RequestError(
                    "INVALID_ARGUMENT",
                    f"JSON Value: {json.dumps(item)} found at incorrect level: {level + 1} in the "
                    f"JSON DOM. Expected at level: {len(shape)}",
                )
            cells.append(_to_cell(item, dtype))
        elif level >= len(shape):
            raise RequestError(
                "INVALID_ARGUMENT",
                f"Encountered list at unexpected level: {level} expected < {len(shape)}",
            )
        elif len(item) != shape[level]:
            raise RequestError(
                "INVALID_ARGUMENT",
                f"Encountered list at unexpected size: {len(item)} at level: {level} "
                f"expected size: {shape[level]}",
            )
        else:
            for inner in item:
                fill(inner, level + 1)

    fill(value, 0)
    array = np.empty(len(cells), tf.as_dtype(dtype).as_numpy_dtype)
    array[:] = cells
    return array.reshape(shape)


def _to_cell(value, dtype):
    """Read a value as `AddValueToTensor` does: its JSON type must be that of the tensor."""
    dtype = tf.as_dtype(dtype)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if dtype == tf.string and isinstance(value, str):
        return value.encode()
    if dtype == tf.string and isinstance(value, dict) and isinstance(value.get("b64"), str):
        return base64.b64decode(value["b64"])
    if dtype == tf.bool and isinstance(value, bool):
        return value
    if dtype.is_integer and is_integer:
        return value
    if dtype.is_floating and (is_integer or isinstance(value, float)):
        return value
    raise RequestError(
        "INVALID_ARGUMENT",
        f"JSON Value: {json.dumps(value)} Type: {_json_type(value)} is not of expected type: "
        f"{dtype_name(dtype)}",
    )


def dtype_name(dtype):
    """Return TensorFlow's C++ name of a dtype."""
    names = {tf.float32: "float", tf.float64: "double", tf.float16: "half"}
    return names.get(dtype, dtype.name)


def _json_type(value):
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null", bool: str(value)}
    return names.get(type(value), "Number")


def to_rows(outputs):
    """Write predictions as `MakeRowFormatJsonFromTensors` does."""
    sizes = {name: len(value) if value.ndim else None for name, value in outputs.items()}
    for name, size in sizes.items():
        if size is None:
            raise RequestError("INVALID_ARGUMENT", f"Tensor name: {name} has no shape information ")
        if size != next(iter(sizes.values())):
            raise RequestError(
                "INVALID_ARGUMENT",
                f"Tensor name: {name} has inconsistent batch size: {size} "
                f"expecting: {next(iter(sizes.values()))}",
            )
    columns = {name: to_json(name, value) for name, value in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def to_json(name, value):
    """Write a value as `AddTensorValues` does."""
    if isinstance(value, np.ndarray):
        return [to_json(name, item) for item in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode()
    if isinstance(value, np.float32):  # six digits where they are enough, else nine
        short = float(f"{value:.6g}")
        return short if np.float32(short) == value else float(f"{value:.9g}")
    return value.item()
