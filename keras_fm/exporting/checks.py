"""Checks whether a server could load and run an export, without the server itself."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from keras_fm.errors import ExportError, KerasFmError
from keras_fm.exporting import server_files, warmup
from keras_fm.exporting.session import Session
from keras_fm.file_errors import reason_of
from keras_fm.files import local_path
from keras_fm.formatting import format_count, format_table
from keras_fm.models import export_files
from keras_fm.serving import rest, servers, signatures

# Registered, but not where a server runs: another process's Python, another machine's GPU.
UNSUPPORTED_OPS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "Cudnn")
TOLERANCE = 1e-4  # between a row alone and the same row in a batch, which sum in another order


@dataclass(frozen=True)
class ServingCheck:
    """A check of one thing that a server needs.

    Attributes:
        name: What is checked.
        passed: Whether a server can do with it.
        detail: What was observed.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class ServingReport:
    """All checks of a version.

    Attributes:
        version: The folder of the SavedModel.
        checks: In the order in which they ran.
    """

    version: Path
    checks: tuple[ServingCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        rows = [
            ("ok  " if check.passed else "FAIL", check.name, check.detail) for check in self.checks
        ]
        return f"{self.version}\n{format_table(rows)}"


def serve_check(directory: str | os.PathLike[str], *, url: str | None = None) -> ServingReport:
    """Check a SavedModel, or the highest version in a folder of them.

    It is loaded into a TensorFlow session, as TF Serving does, which runs its warm-up requests; its
    operations have to be those of stock TensorFlow.

    Args:
        directory: The SavedModel's folder, or the folder that holds its versions.
        url: Of a TF Serving that serves it, such as "http://localhost:8501" or, for gRPC,
            "grpc://localhost:8500": the example requests beside the export are sent there, and its
            responses have to be those of the session here.

    Raises:
        InvalidInputError: There is no SavedModel.
    """
    version = export_files.find_version(local_path(directory))
    checks = [_check_operations(version)]
    name = "TensorFlow session"
    try:
        session = Session(version)
    except ExportError as error:
        return ServingReport(version, (*checks, ServingCheck(name, False, f"{error}")))
    with session:
        checks.append(ServingCheck(name, True, ", ".join(session.signatures)))
        requests = warmup.read_warmup(version)
        for signature in session.signatures:
            checks.append(_check_signature(session, signature, requests.get(signature, [])))
        if url is not None:
            checks += _check_server(session, version, url)
    return ServingReport(version, tuple(checks))


def _check_operations(version: Path) -> ServingCheck:
    name = "operations of stock TensorFlow"
    try:
        content = (version / "saved_model.pb").read_bytes()
        graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    except (OSError, DecodeError, IndexError) as error:
        return ServingCheck(name, False, f"saved_model.pb can't be read: {reason_of(error)}")
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    operations = {node.op for node in nodes} - functions
    unsupported = {
        operation
        for operation in operations
        if op_def_registry.get(operation) is None or operation.startswith(UNSUPPORTED_OPS)
    }
    if unsupported:
        return ServingCheck(name, False, f"not there: {', '.join(sorted(unsupported))}")
    return ServingCheck(name, True, f"{len(operations)} kinds")


def _check_signature(
    session: Session, signature: str, requests: list[dict[str, np.ndarray]]
) -> ServingCheck:
    """Run the warm-up requests of a signature."""
    name = f"signature {signature}"
    if not requests:
        return ServingCheck(name, *_run_zeros(session, signature))
    responses = []
    try:
        for inputs in requests:
            rows = len(next(iter(inputs.values())))
            outputs = session.run(signature, inputs)
            _check_outputs(outputs, rows)
            responses.append(outputs)
    except ExportError as error:
        return ServingCheck(name, False, f"{error}")
    deviation = _batch_deviation(responses)
    return ServingCheck(
        name,
        deviation <= TOLERANCE,
        f"{', '.join(responses[0])}; {format_count(len(requests), 'warm-up request')}; a row alone "
        f"and in a batch differ by {deviation:.0e}",
    )


def _run_zeros(session: Session, signature: str) -> tuple[bool, str]:
    """Run a signature without a warm-up request, which may refuse zeros."""
    inputs = {}
    for name, tensor in session.signatures[signature].inputs.items():
        shape = [max(1, dimension.size) for dimension in tensor.tensor_shape.dim]
        dtype = tf.as_dtype(tensor.dtype)
        zero = b"" if dtype == tf.string else 0
        inputs[name] = np.full(shape, zero, dtype.as_numpy_dtype)
    try:
        outputs = session.run(signature, inputs)
    except ExportError as error:
        refused = error.code == tf.errors.INVALID_ARGUMENT
        return refused, f"no warm-up request; of zeros: {error}"
    return True, f"{', '.join(outputs)}; no warm-up request to run"


def _check_outputs(outputs: Mapping[str, np.ndarray], rows: int) -> None:
    """Refuse outputs that a client can't use."""
    for name, values in outputs.items():
        if values.ndim == 0 or len(values) != rows:
            raise ExportError(f"{name} has no row for each of {rows}: {list(values.shape)}")
        if values.dtype == tf.bfloat16.as_numpy_dtype:
            raise ExportError(f"{name} is bfloat16, which a client's JSON does not know")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ExportError(f"{name} is not finite")


def _batch_deviation(responses: list[dict[str, np.ndarray]]) -> float:
    """Compute the largest difference of the first row between batches, relative to its values."""
    reference, *others = responses
    deviation = 0.0
    for name, values in reference.items():
        if values.dtype.kind == "f":
            scale = max(1.0, float(np.abs(values[0]).max(initial=0)))
            for other in others:
                difference = float(np.abs(values[0] - other[name][0]).max(initial=0))
                deviation = max(deviation, difference / scale)
    return deviation


def _check_server(session: Session, version: Path, url: str) -> Iterator[ServingCheck]:
    """Send the example requests beside the export to a server."""
    server = servers.connect(url, server_files.served_name(version.parent))
    for signature, definition in signatures.parse_protos(session.signatures).items():
        file = version.parent / "requests" / f"{signature}.json"
        if not file.exists():
            continue
        name = f"served {signature}"
        inputs = rest.decode_request(file.read_text("utf-8"), definition.inputs)
        try:
            outputs = server.predict(inputs, signature)
            deviation = _output_deviation(outputs, session.run(signature, inputs))
        except KerasFmError as error:
            yield ServingCheck(name, False, f"{error}")
            continue
        rows = len(next(iter(outputs.values())))
        detail = f"{format_count(rows, 'row')}, {deviation:.0e} from the outputs here"
        yield ServingCheck(name, deviation <= TOLERANCE, detail)


def _output_deviation(
    outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> float:
    """Compute the largest difference of numbers; any other difference is an `ExportError`."""
    if set(outputs) != set(expected):
        raise ExportError(
            f"expected the outputs {', '.join(expected)}; received {', '.join(outputs)}"
        )
    deviation = 0.0
    for name, values in expected.items():
        received = outputs[name]
        if received.shape != values.shape:
            raise ExportError(
                f"{name}: expected the shape {[*values.shape]}; received {[*received.shape]}"
            )
        if values.dtype.kind in "iuf":
            difference = np.abs(received.astype("float64") - values.astype("float64"))
            deviation = max(deviation, float(difference.max(initial=0)))
        elif not (received == values).all():
            raise ExportError(f"{name}: expected {values.tolist()}; received {received.tolist()}")
    return deviation
