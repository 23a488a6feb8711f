"""Test double of TF Serving: its gRPC and REST over loopback, its rules and its messages.

It runs versions in TensorFlow sessions. The rules are those of TF Serving's sources:
`predict_util.cc` (gRPC), `json_tensor.cc` and `http_rest_api_handler.cc` (REST).
"""

import contextlib
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import grpc
import tensorflow as tf
from google.protobuf import json_format
from serving_json import RequestError, dtype_name, from_columns, from_rows, to_json, to_rows
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
                    f"Expects arg[{number}] to be {dtype_name(dtype)} but {dtype_name(actual)} "
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
            outputs = self.core.run(session, signature, from_columns(body["inputs"], tensors))
            columns = {name: to_json(name, value) for name, value in outputs.items()}
            return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
        outputs = self.core.run(session, signature, from_rows(body["instances"], tensors))
        return {"predictions": to_rows(outputs)}


def _signatures(session):
    return get_model_metadata_pb2.SignatureDefMap(signature_def=session.signatures)


def _braces(names):
    return f"{{{','.join(sorted(names))}}}"
