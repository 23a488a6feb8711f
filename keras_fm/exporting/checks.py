"""Whether a server could load and run an export: everything short of the server itself."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from keras_fm.errors import ExportError, InvalidInputError, KerasFmError
from keras_fm.exporting import warmup
from keras_fm.exporting.session import Session
from keras_fm.serving import rest, servers, signatures

# Registered, but not where a server runs: another process's Python, another machine's GPU.
UNSUPPORTED_OPS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "Cudnn")
TOLERANCE = 1e-4  # between a row alone and the same among others, which sum in another order


@dataclass(frozen=True)
class ServingCheck:
    """One thing that a server needs; `found` says what there is."""

    about: str
    holds: bool
    found: str


@dataclass(frozen=True)
class ServingReport:
    """All checks of one version."""

    version: Path
    checks: tuple[ServingCheck, ...]

    @property
    def holds(self) -> bool:
        """Whether all of them hold."""
        return all(check.holds for check in self.checks)

    def __str__(self) -> str:
        width = max(len(check.about) for check in self.checks)
        lines = [
            f"{'ok  ' if check.holds else 'FAIL'}  {check.about:{width}}  {check.found}"
            for check in self.checks
        ]
        return "\n".join([str(self.version), *lines])


def serve_check(directory: str | os.PathLike[str], *, url: str | None = None) -> ServingReport:
    """Checks any SavedModel's folder, or the highest version in it.

    It is loaded by the loader that TF Serving is built on (`c_api`), its warm-up requests are run,
    and its operations looked up in stock TensorFlow.

    Args:
        url: of a TF Serving that serves it, such as "http://localhost:8501" or, for gRPC,
            "grpc://localhost:8500": the requests that the export brings are sent there, and have
            to be answered as they are here.

    Raises:
        InvalidInputError: there is no SavedModel.
    """
    version = _version(Path(directory))
    checks = [_operations(version)]
    try:
        session = Session(version)
    except ExportError as error:
        return ServingReport(
            version, (*checks, ServingCheck("TensorFlow's C++ loader", False, f"{error}"))
        )
    with session:
        checks.append(ServingCheck("TensorFlow's C++ loader", True, ", ".join(session.signatures)))
        requests = warmup.read_warmup(version)
        for name in session.signatures:
            checks.append(_signature(session, name, requests.get(name, [])))
        if url is not None:
            checks += _served(session, version, url)
    return ServingReport(version, tuple(checks))


def _version(path: Path) -> Path:
    if (path / "saved_model.pb").exists():
        return path
    numbers = [int(one.name) for one in path.glob("*") if one.name.isdecimal()]
    if not numbers:
        raise InvalidInputError(
            f"{path} holds no SavedModel and no version of one: export a model there first"
        )
    return path / str(max(numbers))


def _operations(version: Path) -> ServingCheck:
    about = "operations of stock TensorFlow"
    try:
        content = (version / "saved_model.pb").read_bytes()
        graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    except (OSError, DecodeError, IndexError) as error:
        return ServingCheck(about, False, f"saved_model.pb can't be read: {error}")
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    used = {node.op for node in nodes} - functions
    foreign = {
        op for op in used if op_def_registry.get(op) is None or op.startswith(UNSUPPORTED_OPS)
    }  # fmt: skip
    if foreign:
        return ServingCheck(about, False, f"not there: {', '.join(sorted(foreign))}")
    return ServingCheck(about, True, f"{len(used)} kinds")


def _signature(session: Session, name: str, requests: list[dict[str, np.ndarray]]) -> ServingCheck:
    about = f"signature {name}"
    if not requests:
        return ServingCheck(about, *_zeros(session, name))
    answers = []
    try:
        for request in requests:
            size = len(next(iter(request.values())))
            answers.append(session.run(name, request))
            _check_answers(answers[-1], size)
    except ExportError as error:
        return ServingCheck(about, False, f"{error}")
    apart = _deviation(answers)
    return ServingCheck(
        about,
        apart <= TOLERANCE,
        f"{', '.join(answers[0])}; {len(requests)} warm-up requests; a row alone and among others "
        f"differ by {apart:.0e}",
    )


def _zeros(session: Session, name: str) -> tuple[bool, str]:
    """Whether a signature without a warm-up request runs at all; zeros may be refused."""
    zeros = {
        given: np.zeros(
            [max(1, size.size) for size in about.tensor_shape.dim],
            tf.as_dtype(about.dtype).as_numpy_dtype,
        )
        for given, about in session.signatures[name].inputs.items()
    }
    texts = {given: np.full(zero.shape, b"") for given, zero in zeros.items() if zero.dtype == "O"}
    try:
        answers = session.run(name, {**zeros, **texts})
    except ExportError as error:
        return error.code == tf.errors.INVALID_ARGUMENT, f"no warm-up request; of zeros: {error}"
    return True, f"{', '.join(answers)}; no warm-up request to run"


def _check_answers(answers: Mapping[str, np.ndarray], size: int) -> None:
    for name, values in answers.items():
        if values.ndim == 0 or len(values) != size:
            raise ExportError(f"{name} has no row for each of {size}: {list(values.shape)}")
        if values.dtype == tf.bfloat16.as_numpy_dtype:
            raise ExportError(f"{name} is bfloat16, which a client's JSON does not know")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ExportError(f"{name} is not finite")


def _deviation(answers: list[dict[str, np.ndarray]]) -> float:
    """The largest difference of the first row between the batches, relative to what it holds."""
    first, *others = answers
    largest = 0.0
    for name, values in first.items():
        if values.dtype.kind == "f":
            scale = max(1.0, float(np.abs(values[0]).max(initial=0)))
            for other in others:
                largest = max(largest, float(np.abs(values[0] - other[name][0]).max()) / scale)
    return largest


def _served(session: Session, version: Path, url: str) -> Iterator[ServingCheck]:
    """The export's requests, sent to a server."""
    server = servers.connect(url, _model_name(version))
    for name, about in signatures.parse_protos(session.signatures).items():
        file = version.parent / "requests" / f"{name}.json"
        if not file.exists():
            continue
        inputs = rest.decode_request(file.read_text("utf-8"), about.inputs)
        try:
            answers = server.predict(inputs, name)
            apart = _difference(answers, session.run(name, inputs))
        except KerasFmError as error:
            yield ServingCheck(f"served {name}", False, f"{error}")
            continue
        rows = len(next(iter(answers.values())))
        found = f"{rows} rows, {apart:.0e} from what it answers here"
        yield ServingCheck(f"served {name}", apart <= TOLERANCE, found)


def _difference(answers: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """The largest one between numbers; what differs otherwise is an `ExportError`."""
    if set(answers) != set(expected):
        raise ExportError(f"{', '.join(answers)} was answered, and {', '.join(expected)} expected")
    largest = 0.0
    for name, values in expected.items():
        got = answers[name]
        if got.shape != values.shape:
            raise ExportError(
                f"{name}: {[*got.shape]} was answered, and {[*values.shape]} expected"
            )
        if values.dtype.kind in "iuf":
            apart = np.abs(got.astype("float64") - values.astype("float64"))
            largest = max(largest, float(apart.max(initial=0)))
        elif not (got == values).all():
            raise ExportError(
                f"{name}: {got.tolist()} was answered, and {values.tolist()} expected"
            )
    return largest


def _model_name(version: Path) -> str:
    file = version / "keras_fm.json"
    if not file.exists():
        return version.parent.name
    return str(json.loads(file.read_text("utf-8"))["model"])
