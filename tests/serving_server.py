"""A small TF Serving for tests: its gRPC and its REST over loopback, its rules and its words.

It runs versions through TensorFlow's C API, the loader that TF Serving is built on. The rules are
those of its sources: `predict_util.cc` (gRPC), `json_tensor.cc` and `http_rest_api_handler.cc`
(REST).
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

HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404, "UNIMPLEMENTED": 501}
CODES = {code.value[0]: code.name for code in grpc.StatusCode}
PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(classify|regress|predict)")
STATUS = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+))?(/metadata)?")


class Refused(Exception):
    """What the server says, with TensorFlow's name of the status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class ServingServer:
    """Serves versions, such as `{"cifar_cnn": [path of a version, ...]}`, until it is closed.

    grpc, rest: its addresses. seen: the size of each request's batch.
    change: may alter the answers before they are sent. delay: seconds before each prediction.
    """

    def __init__(self, models):
        self.models = {
            name: {int(path.name): Session(path) for path in versions}
            for name, versions in models.items()
        }
        self.change = lambda answers: answers
        self.delay = 0.0
        self.seen = []
        self._lock = threading.Lock()  # a session holds one status
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
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None).wait()

    def find(self, name, version=None):
        """The number and the session of a version, the highest where none is named."""
        versions = self.models.get(name, {})
        number = max(versions, default=None) if version is None else version
        if number not in versions:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {asked}")
        return number, versions[number]

    def run(self, session, signature, inputs, wanted=()):
        """As `RunPredict` in `predict_util.cc` does."""
        time.sleep(self.delay)
        if signature not in session.signatures:
            raise Refused("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.')
        about = session.signatures[signature]
        given, takes = set(inputs), set(about.inputs)
        if len(given) != len(takes):
            raise Refused(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(given)}!={len(takes)} "
                f"len({_braces(given)}) != len({_braces(takes)}). "
                f"Sent extra: {_braces(given - takes)}. "
                f"Missing but required: {_braces(takes - given)}.",
            )
        for name in sorted(given - takes):
            raise Refused(
                "INVALID_ARGUMENT",
                f"input tensor alias not found in signature: {name}. "
                f"Inputs expected to be in the set {_braces(takes)}.",
            )
        for name in wanted:
            if name not in about.outputs:
                raise Refused(
                    "INVALID_ARGUMENT",
                    f"output tensor alias not found in signature: {name} "
                    f"Outputs expected to be in the set {_braces(about.outputs)}.",
                )
        if len(set(wanted)) < len(wanted):
            raise Refused("INVALID_ARGUMENT", f"duplicate output tensor alias: {wanted[0]}")
        self.seen.append(max(len(value) if value.ndim else 0 for value in inputs.values()))
        try:
            with self._lock:
                answers = session.run(signature, inputs)
        except ExportError as error:
            raise Refused(CODES[error.code], str(error)) from None
        return self.change({name: answers[name] for name in wanted or answers})


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, core):
        self.core = core

    def Predict(self, request, context):
        try:
            number, session = self._find(request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            answers = self.core.run(session, signature, inputs, [*request.output_filter])
        except Refused as refused:
            context.abort(getattr(grpc.StatusCode, refused.status), str(refused))
        response = predict_pb2.PredictResponse(
            outputs={name: tf.make_tensor_proto(value) for name, value in answers.items()}
        )
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = number
        response.model_spec.signature_name = signature
        return response

    def GetModelMetadata(self, request, context):
        try:
            if not request.metadata_field:
                raise Refused(
                    "INVALID_ARGUMENT",
                    "GetModelMetadataRequest must specify at least one metadata_field",
                )
            number, session = self._find(request.model_spec)
        except Refused as refused:
            context.abort(getattr(grpc.StatusCode, refused.status), str(refused))
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
        self._answer(STATUS, self._status)

    def do_POST(self):
        self._answer(PREDICT, self._predict)

    def log_message(self, *_):
        pass

    def _answer(self, pattern, answer):
        try:
            found = pattern.fullmatch(self.path)
            if not found:
                raise Refused("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
            name, version, rest = found.groups()
            said = answer(unquote(name or ""), version and int(version), rest)
            status = 200
        except Refused as refused:
            said, status = {"error": str(refused)}, HTTP[refused.status]
        content = json.dumps(said, indent=4).encode()
        with contextlib.suppress(ConnectionError):  # who asked may not have waited
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _status(self, name, version, metadata):
        if not name:
            raise Refused("INVALID_ARGUMENT", "Missing model name in request.")
        number, session = self.core.find(name, version)
        if not metadata:
            fine = {"error_code": "OK", "error_message": ""}
            state = {"version": str(number), "state": "AVAILABLE", "status": fine}
            return {"model_version_status": [state]}
        described = json_format.MessageToDict(
            _signatures(session),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        spec = {"name": name, "signature_name": "", "version": str(number)}
        return {"model_spec": spec, "metadata": {"signature_def": described}}

    def _predict(self, name, version, method):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if method != "predict":
            raise Refused("UNIMPLEMENTED", f"this server does not {method}")
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise Refused("INVALID_ARGUMENT", f"JSON Parse error: {error}") from None
        _, session = self.core.find(name, version)
        signature = asked.get("signature_name", "serving_default")
        if signature not in session.signatures:
            raise Refused(
                "INVALID_ARGUMENT",
                f'Serving signature name: "{signature}" not found in signature def',
            )
        about = session.signatures[signature].inputs
        if ("instances" in asked) == ("inputs" in asked):
            raise Refused("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        if "inputs" in asked:
            answers = self.core.run(session, signature, _from_columns(asked["inputs"], about))
            columns = {name: _json(name, value) for name, value in answers.items()}
            return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
        answers = self.core.run(session, signature, _from_rows(asked["instances"], about))
        return {"predictions": _to_rows(answers)}


def _signatures(session):
    return get_model_metadata_pb2.SignatureDefMap(signature_def=session.signatures)


def _braces(names):
    return f"{{{','.join(sorted(names))}}}"


def _from_rows(rows, about):
    """As `FillTensorMapFromInstancesList` in `json_tensor.cc` does."""
    if not isinstance(rows, list):
        raise Refused("INVALID_ARGUMENT", "Excepting 'instances' to be an list/array")
    if not rows:
        raise Refused("INVALID_ARGUMENT", "No values in 'instances' array")
    if len(about) > 1 and not isinstance(rows[0], dict):
        raise Refused(
            "INVALID_ARGUMENT",
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        )
    named = isinstance(rows[0], dict) and set(rows[0]) != {"b64"}
    tensors = {name: [] for name in about}
    for number, row in enumerate(rows):
        cells = row if named else {next(iter(about)): row}
        for name, value in cells.items():
            try:
                if name not in about:
                    raise Refused("", f"JSON object: does not have named input: {name}")
                one = _tensor(value, about[name].dtype)
                if tensors[name] and tensors[name][0].shape != one.shape:
                    raise Refused(
                        "", f"Expecting tensor size: {tensors[name][0].size} but got: {one.size}"
                    )
            except Refused as refused:
                raise Refused(
                    "INVALID_ARGUMENT",
                    f"Failed to process element: {number} key: {name} of 'instances' list. "
                    f"Error: INVALID_ARGUMENT: {refused}",
                ) from None
            tensors[name].append(one)
        if set(cells) != set(about):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{json.dumps(row)} keys must be equal to: {','.join(sorted(about))}",
            )
    return {name: np.stack(values) for name, values in tensors.items()}


def _from_columns(columns, about):
    """As `FillTensorMapFromInputsMap` does."""
    if not isinstance(columns, dict) or set(columns) == {"b64"}:
        if len(about) > 1:
            raise Refused(
                "INVALID_ARGUMENT",
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map",
            )
        columns = {next(iter(about)): columns}
    for name in about:
        if name not in columns:
            raise Refused("INVALID_ARGUMENT", f"Missing named input: {name} in 'inputs' object.")
    return {name: _tensor(columns[name], about[name].dtype) for name in about}


def _tensor(value, dtype):
    """As `FillTensorProto` does: the first of each list says how long all are."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    cells = []

    def fill(one, level):
        if not isinstance(one, list):
            if level != len(shape):
                raise Refused(
                    "INVALID_ARGUMENT",
                    f"JSON Value: {json.dumps(one)} found at incorrect level: {level + 1} in the "
                    f"JSON DOM. Expected at level: {len(shape)}",
                )
            cells.append(_cell(one, dtype))
        elif level >= len(shape):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Encountered list at unexpected level: {level} expected < {len(shape)}",
            )
        elif len(one) != shape[level]:
            raise Refused(
                "INVALID_ARGUMENT",
                f"Encountered list at unexpected size: {len(one)} at level: {level} "
                f"expected size: {shape[level]}",
            )
        else:
            for part in one:
                fill(part, level + 1)

    fill(value, 0)
    array = np.empty(len(cells), tf.as_dtype(dtype).as_numpy_dtype)
    array[:] = cells
    return array.reshape(shape)


def _cell(value, dtype):
    """As `AddValueToTensor` does: JSON's kinds must be the tensor's."""
    kind = tf.as_dtype(dtype)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == tf.string and isinstance(value, str):
        return value.encode()
    if kind == tf.string and isinstance(value, dict) and isinstance(value.get("b64"), str):
        return base64.b64decode(value["b64"])
    if kind == tf.bool and isinstance(value, bool):
        return value
    if kind.is_integer and whole:
        return value
    if kind.is_floating and (whole or isinstance(value, float)):
        return value
    raise Refused(
        "INVALID_ARGUMENT",
        f"JSON Value: {json.dumps(value)} Type: {_type(value)} is not of expected type: "
        f"{'float' if kind == tf.float32 else kind.name}",
    )


def _type(value):
    kinds = {dict: "Object", list: "Array", str: "String", type(None): "Null", bool: str(value)}
    return kinds.get(type(value), "Number")


def _to_rows(answers):
    """As `MakeRowFormatJsonFromTensors` does."""
    sizes = {name: len(value) if value.ndim else None for name, value in answers.items()}
    for name, size in sizes.items():
        if size is None:
            raise Refused("INVALID_ARGUMENT", f"Tensor name: {name} has no shape information ")
        if size != next(iter(sizes.values())):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Tensor name: {name} has inconsistent batch size: {size} "
                f"expecting: {next(iter(sizes.values()))}",
            )
    columns = {name: _json(name, value) for name, value in answers.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _json(name, value):
    """As `AddTensorValues` does."""
    if isinstance(value, np.ndarray):
        return [_json(name, one) for one in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode()
    if isinstance(value, np.float32):  # six digits where they are enough, else nine
        short = float(f"{value:.6g}")
        return short if np.float32(short) == value else float(f"{value:.9g}")
    return value.item()
