"""Clients of a running TF Serving, over REST or gRPC.

Sources: https://www.tensorflow.org/tfx/serving/api_rest, and `prediction_service.proto` of TF
Serving for gRPC.
"""

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import numpy as np

from keras_fm import http_session, registry
from keras_fm.errors import InvalidInputError, ServerError, UnknownNameError, suggest
from keras_fm.options import check_float, check_int
from keras_fm.serving import rest, signatures
from keras_fm.serving.signatures import Signature, TensorInfo
from keras_fm.startup import import_tensorflow

DEFAULT_TIMEOUT = 30.0  # seconds for one request
MAX_SHOWN = 1000  # characters of a server's message; some repeat the whole request
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110
NOT_FOUND = (404, "NOT_FOUND")


def connect(
    url: str,
    model: str,
    *,
    version: int | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    headers: Mapping[str, str] | None = None,
) -> "Server":
    """Return a client of the server at `url`; nothing is sent yet.

    Args:
        url: `http://HOST:8501` (or https) for REST, `grpc://HOST:8500` for gRPC; with a user and a
            password as `http://USER:PASSWORD@HOST`, which are sent in an `Authorization` header.
        model: The model's name in the server.
        version: None for the one that the server chooses.
        timeout: Seconds that a request may take; over REST, seconds without a byte.
        headers: Sent with every request; over gRPC as metadata.

    Raises:
        InvalidInputError: An argument of another form.
    """
    server_class = _server_class(url)
    if server_class is None:
        raise InvalidInputError(
            f"url is http://HOST:8501 for REST or grpc://HOST:8500 for gRPC; received {url!r}"
        )
    if not isinstance(model, str) or not model:
        raise InvalidInputError(f"model is its name in the server; received {model!r}")
    if version is not None:
        version = check_int("version", version)
    timeout = check_float("timeout", timeout, above=0, unit="seconds")
    url, all_headers = _split_credentials(url)
    all_headers |= _check_headers(headers or {})
    return server_class(url.rstrip("/"), model, version, timeout, all_headers)


def _split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Return an address without user and password, and the header that has them."""
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = base64.b64encode(unquote_to_bytes(credentials)).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {token}"}


def _check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by name, which no line break can end."""
    if not isinstance(headers, Mapping):
        raise InvalidInputError(f"headers are a dict; received {type(headers).__name__}")
    for name, value in headers.items():
        if not (isinstance(name, str) and isinstance(value, str)) or not _HEADER.fullmatch(name):
            raise InvalidInputError(f"headers are strings by name; received one named {name!r}")
        if not value.isprintable() or not value.isascii():
            raise InvalidInputError(f"the value of the header {name!r} is not printable ASCII")
    return dict(headers)


def _server_class(url: str) -> "type[Server] | None":
    try:
        parts = urlsplit(url)
        server_class = {"http": RestServer, "https": RestServer, "grpc": GrpcServer}[parts.scheme]
        # A port that is no number raises a ValueError.
        valid = parts.hostname and (parts.port or server_class is RestServer)
    except (AttributeError, TypeError, ValueError, KeyError):
        return None
    return server_class if valid else None


class Server(ABC):
    """Client of one model in a TF Serving."""

    def __init__(
        self,
        url: str,
        model: str,
        version: int | None,
        timeout: float,
        headers: Mapping[str, str],
    ) -> None:
        self.url = url
        self.model = model
        self.version = version
        self.timeout = timeout
        self.headers = headers

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """The model's signatures by name, fetched at the first use.

        Raises:
            ServerError: As of `predict`; for an unknown model it lists the zoo's models there.
        """
        try:
            return self.fetch_signatures()
        except ServerError as error:
            if error.status not in NOT_FOUND:
                raise
            served = ", ".join(filter(self._serves, registry.list_models())) or "none"
            raise ServerError(f"{error}. Models of the zoo there: {served}", error.status) from None

    def predict(self, inputs: Mapping[str, Any], signature: str) -> dict[str, np.ndarray]:
        """Call a signature, in one request.

        Args:
            inputs: By name; arrays are sent as they are, lists and single values in the
                signature's dtype.
            signature: Its name.

        Returns:
            An array for each output; strings are bytes.

        Raises:
            ServerError: The server can't be reached, is late, refuses, or sends no such response.
            UnknownNameError: No such signature or input.
            InvalidInputError: A list that is no array of the signature's dtype.
        """
        if signature not in self.signatures:
            raise UnknownNameError(
                f"{self.model} at {self.url} has no signature {signature!r}. "
                f"{suggest(signature, self.signatures)}"
            )
        tensors = self.signatures[signature].inputs
        for name in inputs:
            if name not in tensors:
                raise UnknownNameError(
                    f"{signature} has no input {name!r}. {suggest(name, tensors)}"
                )
        arrays = {name: _to_array(name, value, tensors[name]) for name, value in inputs.items()}
        return self.call(signature, arrays)

    @abstractmethod
    def fetch_signatures(self) -> dict[str, Signature]:
        """Request the model's signatures."""

    @abstractmethod
    def call(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Send a predict request."""

    def _serves(self, model: str) -> bool:
        try:
            type(self)(self.url, model, None, self.timeout, self.headers).fetch_signatures()
        except ServerError:
            return False
        return True


class RestServer(Server):
    """Client over REST, in JSON."""

    @property
    def address(self) -> str:
        """The model's URL."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.url}/v1/models/{quote(self.model, safe='')}{version}"

    def fetch_signatures(self) -> dict[str, Signature]:
        """Request the model's signatures from its metadata."""
        address = f"{self.address}/metadata"
        response = self._request(address, None)
        try:
            definitions = response["metadata"]["signature_def"]["signature_def"]
            return signatures.parse_signatures(definitions)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _unexpected_response(address, response) from None

    def call(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Send a predict request in row format."""
        shapes = {name: [*value.shape] for name, value in inputs.items()}
        if not all(shapes.values()) or len({shape[0] for shape in shapes.values()}) > 1:
            raise InvalidInputError(f"expected as many rows in each input; received {shapes}")
        address = f"{self.address}:predict"
        response = self._request(address, rest.encode_request(signature, inputs))
        try:
            return rest.to_arrays(response["predictions"], self.signatures[signature].outputs)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise _unexpected_response(address, response) from None

    def _request(self, address: str, body: str | None) -> Any:
        """Return the JSON of the response; a body is posted."""
        try:
            status, location, content = self._exchange(address, body)
        except http_session.request_errors() as error:
            if http_session.is_timeout(error):
                raise _timeout_error(address, self.timeout) from None
            reason = http_session.error_reason(error)
            raise ServerError(f"{address} can't be reached: {reason}") from None
        if location is not None:
            raise ServerError(
                f"{address} returned {status}, a redirect to {_shorten(location)}: use the address "
                "of the server itself",
                status,
            )
        if status != HTTPStatus.OK:
            raise ServerError(f"{address} returned {status}: {_error_message(content)}", status)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ServerError(f"{address} returned no JSON: {_shorten(content)}") from None

    def _exchange(self, address: str, body: str | None) -> tuple[int, str | None, bytes]:
        """Return status, target of a redirect, and content of the response."""
        with (
            http_session.open_session() as session,
            session.request(
                "GET" if body is None else "POST",
                address,
                data=None if body is None else body.encode(),
                headers={"Content-Type": "application/json", **self.headers},
                timeout=self.timeout,
                allow_redirects=False,  # a redirected POST would arrive as a GET
                stream=True,
            ) as response,
        ):
            location = response.headers.get("Location") if response.is_redirect else None
            content = b"" if location else response.raw.read(decode_content=False)
            return response.status_code, location, content


class GrpcServer(Server):
    """Client over gRPC, in the protos of TensorFlow."""

    @cached_property
    def _channel(self) -> Any:
        import grpc

        sizes = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
        return grpc.insecure_channel(urlsplit(self.url).netloc, [(size, -1) for size in sizes])

    def fetch_signatures(self) -> dict[str, Signature]:
        """Request the model's signatures from its metadata."""
        import_tensorflow()
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model_spec(), metadata_field=["signature_def"]
        )
        response = self._call_method("GetModelMetadata", request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        return signatures.parse_protos(definitions.signature_def)

    def call(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Send a predict request in tensors."""
        import_tensorflow()
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(
            model_spec=self._model_spec(signature_name=signature),
            inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        )
        response = self._call_method("Predict", request)
        return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

    def _model_spec(self, **fields: str) -> Any:
        from tensorflow_serving.apis import model_pb2

        model_spec = model_pb2.ModelSpec(name=self.model, **fields)
        if self.version is not None:
            model_spec.version.value = self.version
        return model_spec

    def _call_method(self, method: str, request: Any) -> Any:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        try:
            metadata = [(name.lower(), value) for name, value in self.headers.items()]
            return getattr(stub, method)(request, timeout=self.timeout, metadata=metadata)
        except grpc.RpcError as error:
            status = error.code().name
            if status == "DEADLINE_EXCEEDED":
                raise _timeout_error(self.url, self.timeout) from None
            details = _shorten(error.details() or "")
            if status == "UNAVAILABLE":
                raise ServerError(f"{self.url} can't be reached: {details}", status) from None
            raise ServerError(f"{self.url} returned {status}: {details}", status) from None


def _to_array(name: str, value: Any, tensor: TensorInfo) -> np.ndarray:
    """Convert all but arrays to the signature's dtype, and strings to bytes."""
    try:
        array = value if isinstance(value, np.ndarray) else np.array(value, tensor.numpy)
        if array.dtype.kind in "iu" and not (array == np.asarray(value)).all():
            raise ValueError("a number that is not whole, or too large")
        if array.dtype.kind in "OSU":
            return np.array(np.frompyfunc(_to_bytes, 1, 1)(array.astype(object)), object)
        if array.dtype.kind in "biuf":
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInputError(f"{name}: expected {tensor.dtype}; received {_shorten(repr(value))}")


def _to_bytes(text: Any) -> bytes:
    if not isinstance(text, (str, bytes)):
        raise TypeError("no string")
    # A lone surrogate has no UTF-8: the model receives bytes that count as unknown.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _timeout_error(address: str, timeout: float) -> ServerError:
    return ServerError(f"{address} did not respond within {timeout:g} seconds")


def _unexpected_response(address: str, response: Any) -> ServerError:
    return ServerError(
        f"{address} does not respond as TF Serving does: {_shorten(json.dumps(response))}"
    )


def _error_message(content: bytes) -> str:
    """Return the sentence of an error, which TF Serving puts into JSON."""
    try:
        return _shorten(json.loads(content)["error"])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return _shorten(content)


def _shorten(text: str | bytes) -> str:
    """Return the beginning of a text, in one line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]} ..."
