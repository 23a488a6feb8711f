"""A running TF Serving, asked by REST or gRPC.

Sources: https://www.tensorflow.org/tfx/serving/api_rest, and `prediction_service.proto` of TF
Serving for gRPC.
"""

import http
import http.client
import json
import math
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from keras_fm import registry
from keras_fm.errors import InvalidInputError, ServerError, UnknownNameError, suggest
from keras_fm.serving import rest, signatures
from keras_fm.serving.signatures import Signature, TensorInfo

DEFAULT_TIMEOUT = 30.0  # seconds for one request
SHOWN = 1000  # characters of what a server says; some repeat the whole request
NOT_FOUND = (404, "NOT_FOUND")


def connect(
    url: str, model: str, *, version: int | None = None, timeout: float = DEFAULT_TIMEOUT
) -> "Server":
    """The server of an address, which is not asked anything yet.

    Args:
        url: `http://HOST:8501` (or https) for REST, `grpc://HOST:8500` for gRPC.
        model: its name there.
        version: None for the one that the server takes.
        timeout: seconds that it may take for a request; over REST, that it may be silent.

    Raises:
        InvalidInputError: one of them is none.
    """
    kind = _kind(url)
    if kind is None:
        raise InvalidInputError(
            f"url is http://HOST:8501 for REST or grpc://HOST:8500 for gRPC; received {url!r}"
        )
    if not isinstance(model, str) or not model:
        raise InvalidInputError(f"model is its name in the server; received {model!r}")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise InvalidInputError(f"version is a whole number; received {version!r}")
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not 0 < timeout < math.inf:
        raise InvalidInputError(f"timeout is a number of seconds above 0; received {timeout!r}")
    return kind(url.rstrip("/"), model, version, float(timeout))


def _kind(url: str) -> "type[Server] | None":
    try:
        parts = urlsplit(url)
        kind = {"http": RestServer, "https": RestServer, "grpc": GrpcServer}[parts.scheme]
        fits = parts.hostname and (parts.port or kind is RestServer)  # a wrong port: ValueError
    except (AttributeError, TypeError, ValueError, KeyError):
        return None
    return kind if fits else None


class Server(ABC):
    """One model of a TF Serving."""

    def __init__(self, url: str, model: str, version: int | None, timeout: float) -> None:
        self.url = url
        self.model = model
        self.version = version
        self.timeout = timeout

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """What it serves, by name; asked once.

        Raises:
            ServerError: see `predict`; of an unknown model it says which of the zoo's there are.
        """
        try:
            return self.ask_signatures()
        except ServerError as error:
            if error.status not in NOT_FOUND:
                raise
            others = ", ".join(filter(self._has, registry.list_models())) or "none"
            raise ServerError(f"{error}. Models of the zoo there: {others}", error.status) from None

    def predict(self, inputs: Mapping[str, Any], signature: str) -> dict[str, np.ndarray]:
        """What a signature answers, an array by name; strings are bytes.

        Args:
            inputs: arrays by name, sent as they are; lists and single values as the signature's
                dtype.

        Raises:
            ServerError: it can't be reached, takes too long, refuses, or answers something else.
            UnknownNameError: no such signature or input.
            InvalidInputError: a list that is no array of the signature's dtype.
        """
        if signature not in self.signatures:
            raise UnknownNameError(
                f"{self.model} at {self.url} has no signature {signature!r}. "
                f"{suggest(signature, self.signatures)}"
            )
        about = self.signatures[signature]
        for name in inputs:
            if name not in about.inputs:
                raise UnknownNameError(
                    f"{signature} has no input {name!r}. {suggest(name, about.inputs)}"
                )
        arrays = {name: _array(name, value, about.inputs[name]) for name, value in inputs.items()}
        return self.ask(signature, arrays)

    @abstractmethod
    def ask_signatures(self) -> dict[str, Signature]:
        """Asks what there is."""

    @abstractmethod
    def ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Asks one signature."""

    def _has(self, model: str) -> bool:
        try:
            type(self)(self.url, model, None, self.timeout).ask_signatures()
        except ServerError:
            return False
        return True


class RestServer(Server):
    """Asked in JSON."""

    @property
    def address(self) -> str:
        """Of the model."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.url}/v1/models/{quote(self.model, safe='')}{version}"

    def ask_signatures(self) -> dict[str, Signature]:
        """From its metadata."""
        address = f"{self.address}/metadata"
        answer = self._request(address, None)
        try:
            return signatures.parse_signatures(answer["metadata"]["signature_def"]["signature_def"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _strange(address, answer) from None

    def ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """In rows."""
        shapes = {name: [*value.shape] for name, value in inputs.items()}
        if not all(shapes.values()) or len({shape[0] for shape in shapes.values()}) > 1:
            raise InvalidInputError(f"expected as many rows in each input; received {shapes}")
        address = f"{self.address}:predict"
        answer = self._request(address, rest.encode_request(signature, inputs))
        try:
            return rest.to_arrays(answer["predictions"], self.signatures[signature].outputs)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise _strange(address, answer) from None

    def _request(self, address: str, body: str | None) -> Any:
        """The JSON that is answered; a body is posted."""
        posted = None if body is None else body.encode()
        request = urllib.request.Request(address, posted, {"Content-Type": "application/json"})
        try:
            status, content = _exchange(request, self.timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise _late(address, self.timeout) from None
            said = getattr(reason, "strerror", None) or reason
            raise ServerError(f"{address} can't be asked: {said}") from None
        if status != http.HTTPStatus.OK:
            raise ServerError(f"{address} answered {status}: {_words(content)}", status)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ServerError(f"{address} answered no JSON: {_start(content)}") from None


def _exchange(request: urllib.request.Request, timeout: float) -> tuple[int, bytes]:
    """The status and the content of an answer, also of an error."""
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


class GrpcServer(Server):
    """Asked in protos, which come with TensorFlow."""

    @cached_property
    def _channel(self) -> Any:
        import grpc

        sizes = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
        return grpc.insecure_channel(urlsplit(self.url).netloc, [(size, -1) for size in sizes])

    def ask_signatures(self) -> dict[str, Signature]:
        """From its metadata."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(), metadata_field=["signature_def"]
        )
        answer = self._call("GetModelMetadata", request)
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return signatures.parse_protos(found.signature_def)

    def ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """In tensors."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(
            model_spec=self._spec(signature_name=signature),
            inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        )
        answer = self._call("Predict", request)
        return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}

    def _spec(self, **more: str) -> Any:
        from tensorflow_serving.apis import model_pb2

        spec = model_pb2.ModelSpec(name=self.model, **more)
        if self.version is not None:
            spec.version.value = self.version
        return spec

    def _call(self, method: str, request: Any) -> Any:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        try:
            return getattr(stub, method)(request, timeout=self.timeout)
        except grpc.RpcError as error:
            status = error.code().name
            if status == "DEADLINE_EXCEEDED":
                raise _late(self.url, self.timeout) from None
            said = _start(error.details() or "")
            if status == "UNAVAILABLE":
                raise ServerError(f"{self.url} can't be asked: {said}", status) from None
            raise ServerError(f"{self.url} answered {status}: {said}", status) from None


def _array(name: str, value: Any, about: TensorInfo) -> np.ndarray:
    """An array as it is, anything else in the signature's dtype; texts as bytes."""
    try:
        array = value if isinstance(value, np.ndarray) else np.array(value, about.numpy)
        if array.dtype.kind in "iu" and not (array == np.asarray(value)).all():
            raise ValueError("a number that is not whole, or too large")
        if array.dtype.kind in "OSU":
            return np.array(np.frompyfunc(_bytes, 1, 1)(array.astype(object)), object)
        if array.dtype.kind in "biuf":
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInputError(f"{name}: expected {about.dtype}; received {_start(repr(value))}")


def _bytes(text: Any) -> bytes:
    if not isinstance(text, (str, bytes)):
        raise TypeError("no text")
    # A lone surrogate has no UTF-8: the model gets bytes that count as unknown.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _late(address: str, timeout: float) -> ServerError:
    return ServerError(f"{address} did not answer within {timeout:g} seconds")


def _strange(address: str, answer: Any) -> ServerError:
    return ServerError(
        f"{address} does not answer as TF Serving does: {_start(json.dumps(answer))}"
    )


def _words(content: bytes) -> str:
    """The sentence of an error, which TF Serving puts into JSON."""
    try:
        return _start(json.loads(content)["error"])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return _start(content)


def _start(text: str | bytes) -> str:
    """The beginning of a text, in one line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
