"""Test double of TF Serving: its gRPC and REST over loopback, its rules and its messages.

It runs versions in TensorFlow sessions. The rules are those of TF Serving's sources:
`predict_util.cc` (gRPC), `json_tensor.cc` and `http_rest_api_handler.cc` (REST).
"""

import base64
import contextlib
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_fm.errors import ExportError
from keras_fm.exporting.session import Session

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
}
STATUS_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
PREDICT_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(classify|regress|predict)")
STATUS_PATH = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+))?(/metadata)?")


class RequestError(Exception):
    """An error response: its message, and TensorFlow's name of the status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class ServingServer:
    """A server of versions, such as `{"cifar_cnn": [path of a version, ...]}`, until it is closed.

    grpc, rest: its addresses. batch_sizes: of the requests so far.
    headers: of the requests so far, in lower case.
    change: may alter the outputs before they are sent. delay: seconds before each prediction.
    """

    def __init__(self, models):
        self.models = {
            name: {int(path.name): Session(path) for path in versions}
            for name, versions in models.items()
        }
        self.change = lambda outputs: outputs
        self.delay = 0.0
        self.batch_sizes = []
        self.headers = []
        self._grpc = grpc.server(ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Service(self), self._grpc
        )
        self.grpc = f"grpc://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        handler = type("Handler", (_Handler,), {"core": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.rest = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=[0.01], daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None).wait()
        for versions in self.models.values():
            for session in versions.values():
                session.close()

    def find(self, name, version=None):
        """The number and the session of a version, the highest where none is named."""
        versions = self.models.get(name, {})
        number = max(versions, default=None) if version is None else version
        if number not in versions:
            servable = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise RequestError("NOT_FOUND", f"Servable not found for request: {servable}")
        return number, versions[number]

    def run(self, session, signature, inputs, output_filter=()):
        """Run a signature as `RunPredict` in `predict_util.cc` does."""
        time.sleep(self.delay)
        if signature not in session.signatures:
            raise RequestError(
                "FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.'
            )
        definition = session.signatures[signature]
        received, expected = set(inputs), set(definition.inputs)
        if len(received) != len(expected):
            raise RequestError(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(received)}!={len(expected)} "
                f"len({_braces(received)}) != len({_braces(expected)}). "
                f"Sent extra: {_braces(received - expected)}. "
                f"Missing but required: {_braces(expected - received)}.",
            )
        for name in sorted(received - expected):
            raise RequestError(
                "INVALID_ARGUMENT",
                f"input tensor alias not found in signature: {name}. "
                f"Inputs expected to be in the set {_braces(expected)}.",
            )
        for name in output_filter:
            if name not in definition.outputs:
                raise RequestError(
                    "INVALID_ARGUMENT",
                    f"output tensor alias not found in signature: {name} "
                    f"Outputs expected to be in the set {_braces(definition.outputs)}.",
                )
        if len(set(output_filter)) < len(output_filter):
            raise RequestError(
                "INVALID_ARGUMENT", f"duplicate output tensor alias: {output_filter[0]}"
            )
        for number, (name, value) in enumerate(inputs.items()):
            dtype, actual = tf.as_dtype(definition.inputs[name].dtype), tf.as_dtype(value.dtype)
            if actual != dtype:
                raise RequestError(
                    "INVALID_ARGUMENT",
                    f"Expects arg[{number}] to be {_dtype_name(dtype)} but {_dtype_name(actual)} "
                    "is provided",
                )
        self.batch_sizes.append(max(len(value) if value.ndim else 0 for value in inputs.values()))
        try:
            outputs = session.run(signature, inputs)
        except ExportError as error:
            status = STATUS_NAMES.get(error.code, "INVALID_ARGUMENT")
            raise RequestError(status, str(error)) from None
        return self.change({name: outputs[name] for name in output_filter or outputs})


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, core):
        self.core = core

    def Predict(self, request, context):
        self.core.headers.append(dict(context.invocation_metadata()))
        try:
            number, session = self._find(request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = self.core.run(session, signature, inputs, [*request.output_filter])
        except RequestError as error:
            context.abort(getattr(grpc.StatusCode, error.status), str(error))
        response = predict_pb2.PredictResponse(
            outputs={name: tf.make_tensor_proto(value) for name, value in outputs.items()}
        )
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = number
        response.model_spec.signature_name = signature
        return response

    def GetModelMetadata(self, request, context):
        self.core.headers.append(dict(context.invocation_metadata()))
        try:
            if not request.metadata_field:
                raise RequestError(
                    "INVALID_ARGUMENT",
                    "GetModelMetadataRequest must specify at least one metadata_field",
                )
            number, session = self._find(request.model_spec)
        except RequestError as error:
            context.abort(getattr(grpc.StatusCode, error.status), str(error))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(_signatures(session))
        return response

    def _find(self, spec):
        version = spec.version.value if spec.HasField("version") else None
        return self.core.find(spec.name, version)


class _Handler(BaseHTTPRequestHandler):
    core: ServingServer

    def do_GET(self):
        self._respond(STATUS_PATH, self._status)

    def do_POST(self):
        self._respond(PREDICT_PATH, self._predict)

    def log_message(self, *_):
        pass

    def _respond(self, pattern, method):
        self.core.headers.append({name.lower(): value for name, value in self.headers.items()})
        try:
            match = pattern.fullmatch(self.path)
            if not match:
                raise RequestError(
                    "INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}"
                )
            name, version, rest = match.groups()
            body = method(unquote(name or ""), version and int(version), rest)
            status = 200
        except RequestError as error:
            body, status = {"error": str(error)}, HTTP_STATUS[error.status]
        content = json.dumps(body, indent=4).encode()
        with contextlib.suppress(ConnectionError):  # the client may not have waited
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _status(self, name, version, metadata):
        if not name:
            raise RequestError("INVALID_ARGUMENT", "Missing model name in request.")
        number, session = self.core.find(name, version)
        if not metadata:
            status = {"error_code": "OK", "error_message": ""}
            state = {"version": str(number), "state": "AVAILABLE", "status": status}
            return {"model_version_status": [state]}
        definitions = json_format.MessageToDict(
            _signatures(session),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        spec = {"name": name, "signature_name": "", "version": str(number)}
        return {"model_spec": spec, "metadata": {"signature_def": definitions}}

    def _predict(self, name, version, method):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if method != "predict":
            raise RequestError("UNIMPLEMENTED", f"this server does not {method}")
        try:
            body = json.loads(content)
        except ValueError as error:
            raise RequestError("INVALID_ARGUMENT", f"JSON Parse error: {error}") from None
        _, session = self.core.find(name, version)
        signature = body.get("signature_name", "serving_default")
        if signature not in session.signatures:
            raise RequestError(
                "INVALID_ARGUMENT",
                f'Serving signature name: "{signature}" not found in signature def',
            )
        tensors = session.signatures[signature].inputs
        if ("instances" in body) == ("inputs" in body):
            raise RequestError("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        if "inputs" in body:
            outputs = self.core.run(session, signature, _from_columns(body["inputs"], tensors))
            columns = {name: _to_json(name, value) for name, value in outputs.items()}
            return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
        outputs = self.core.run(session, signature, _from_rows(body["instances"], tensors))
        return {"predictions": _to_rows(outputs)}


def _signatures(session):
    return get_model_metadata_pb2.SignatureDefMap(signature_def=session.signatures)


def _braces(names):
    return f"{{{','.join(sorted(names))}}}"


def _from_rows(rows, tensors):
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


def _from_columns(columns, tensors):
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
        f"{_dtype_name(dtype)}",
    )


def _dtype_name(dtype):
    """Return TensorFlow's C++ name of a dtype."""
    names = {tf.float32: "float", tf.float64: "double", tf.float16: "half"}
    return names.get(dtype, dtype.name)


def _json_type(value):
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null", bool: str(value)}
    return names.get(type(value), "Number")


def _to_rows(outputs):
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
    columns = {name: _to_json(name, value) for name, value in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _to_json(name, value):
    """Write a value as `AddTensorValues` does."""
    if isinstance(value, np.ndarray):
        return [_to_json(name, item) for item in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode()
    if isinstance(value, np.float32):  # six digits where they are enough, else nine
        short = float(f"{value:.6g}")
        return short if np.float32(short) == value else float(f"{value:.9g}")
    return value.item()
