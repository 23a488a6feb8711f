"""Latency and throughput of exports, beside `model.export` and other runtimes, on the same weights.

    pip install --no-deps --target .ci/foreign openvino tf2onnx onnx onnxruntime ai-edge-litert
    PYTHONPATH=.ci/foreign python tools/benchmark_serving.py cifar_cnn mini_bert

Prints a Markdown table for each model and number of threads. A SavedModel runs in TensorFlow's C
API, as in TF Serving, and is asked for the logits alone. Each runtime has a process of its own,
and they take turns, so that what disturbs the machine disturbs all. A model without weights gets
random ones. The exports of a model of tables take raw rows, with words, and encode them; the others
take rows that are encoded. What is not installed, or can't run the model, is left out.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PLAIN = "`model.export`"
OURS: dict[str, dict[str, Any]] = {
    "keras_fm": {},
    "keras_fm, latency": {"optimize_for": "latency"},
    "keras_fm, bfloat16": {"precision": "bfloat16"},
    "keras_fm, bfloat16, latency": {"precision": "bfloat16", "optimize_for": "latency"},
    "keras_fm, int8": {"precision": "int8"},
}
WARM_UP = "assets.extra"  # of an export
BATCHES = (1, 32, 256)

Arrays = dict[str, np.ndarray]  # by the name of the input


class Batch(NamedTuple):
    """The same examples as a model takes them, and as its exports do."""

    encoded: Arrays
    raw: Arrays


Predict = Callable[[Batch], np.ndarray]
Load = Callable[[Path, int], Predict]  # a file, and how many threads


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10, help="turns of each (default: 10)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, for a first look")
    parser.add_argument("--length", type=int, default=128, help="of texts (default: 128 pieces)")
    parser.add_argument("--only", default="", help="runtimes with this in their name, and plain")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rounds = 3 if options.quick else options.rounds
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            model = build(name)
            runtimes = prepare(model, Path(folder), options.only)
            inputs = {size: draw(model, size, options.length) for size in BATCHES}
            for threads in options.threads:
                measured = measure(runtimes, inputs, threads, rounds)
                print(f"\n### {name}, {threads} thread{'s' * (threads > 1)}\n")
                print("\n".join(table(measured)), flush=True)


@dataclass
class Runtime:
    """What is compared: a name, a loader and its file; seconds by batch size, once measured."""

    name: str
    load: Load
    path: Path
    seconds: dict[int, list[float]] = field(default_factory=dict)
    logits: dict[int, np.ndarray] = field(default_factory=dict)

    def median(self, size: int) -> float:
        """Milliseconds."""
        return float(np.median(self.seconds[size])) * 1000


def build(name: str) -> Any:
    """Return the model, on the same random weights each time where there are no others."""
    import keras

    from keras_fm import registry
    from keras_fm.models import loading

    keras.utils.set_random_seed(0)
    return loading.get(name, weights="default" if registry.info(name).pretrained else None)


def draw(model: Any, size: int, length: int) -> Batch:
    """Return random pixels, random texts without padding, or rows of the sample."""
    from keras_fm.tasks.base import task_of

    random = np.random.default_rng(size)
    if len(model.inputs) > 1:
        data = task_of(model).data
        sample = data.load("sample")
        rows = sample.subset(random.integers(0, len(sample), size), sample.description)
        return Batch(data.encode(rows).inputs, rows.inputs)
    [model_input] = model.inputs
    shape = [size, *(length if one is None else one for one in model_input.shape[1:])]
    arrays = {model_input.name: random.integers(1, 256, shape).astype(model_input.dtype)}
    return Batch(arrays, arrays)


def prepare(model: Any, folder: Path, only: str) -> list[Runtime]:
    """Return the runtimes, each with the model written for it."""
    from keras_fm.exporting import saved_model

    def write(kind: str, ending: str = "") -> Path:
        path = folder / f"plain{ending}"
        if not path.exists():
            model.export(str(path), format=kind, verbose=False)
        return path

    saved = partial(write, "tf_saved_model")
    ways: dict[str, tuple[Load, Callable[[], Path]]] = {
        PLAIN: (load_saved_model, saved),
        **{
            name: (load_saved_model, partial(saved_model.export, model, folder / name, **options))
            for name, options in OURS.items()
        },
        "ONNX Runtime": (load_onnx, partial(convert_to_onnx, folder)),
        "OpenVINO": (partial(load_openvino, "f32"), saved),
        "OpenVINO, bfloat16": (partial(load_openvino, "bf16"), saved),
        "LiteRT": (load_litert, partial(write, "litert", ".tflite")),
    }
    runtimes = []
    for name, (load, make) in ways.items():
        if name == PLAIN or only in name:
            try:
                runtimes.append(Runtime(name, load, make()))
            except Exception as error:  # of any kind: it comes from a converter
                leave_out(name, error)
    return runtimes


def convert_to_onnx(folder: Path) -> Path:
    """Our export, as the README says: Keras' own writer makes inputs of a normalisation's means."""
    [version] = (folder / "keras_fm").glob("[0-9]*")
    file = folder / "model.onnx"
    known = json.loads((version / "keras_fm.json").read_text())["signatures"]
    options = {"saved-model": version, "signature_def": numeric(known), "output": file}
    command = [sys.executable, "-m", "tf2onnx.convert", "--tag=serve"]
    command += [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-800:])
    return file


def leave_out(name: str, error: Exception) -> None:
    """Says so."""
    said = " ".join(f"{error}".split())[:800]
    print(f"{name} is left out: {type(error).__name__}: {said}", file=sys.stderr)


def load_saved_model(path: Path, threads: int) -> Predict:
    from tensorflow.core.framework import types_pb2

    from keras_fm.exporting.session import Session

    session = Session(path)
    known = session.signatures
    name = numeric(known)
    outputs = known[name].outputs
    for output in set(outputs) - {"logits"} if "logits" in outputs else ():
        del outputs[output]
    [output] = outputs
    inputs = known[name].inputs
    takes_strings = any(one.dtype == types_pb2.DT_STRING for one in inputs.values())

    def predict(batch: Batch) -> np.ndarray:
        arrays = batch.raw if takes_strings else batch.encoded
        if len(inputs) == 1:  # pixels and token ids have another name in a signature
            arrays = dict(zip(inputs, arrays.values(), strict=True))
        return session.run(name, arrays)[output]

    return predict


def numeric(signatures: Collection[str]) -> str:
    """Return the signature that takes numbers as the model does."""
    return next(name for name in ("pixels", "token_ids", "serving_default") if name in signatures)


def load_onnx(path: Path, threads: int) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    [model_input] = session.get_inputs()

    def predict(batch: Batch) -> np.ndarray:
        [array] = batch.encoded.values()
        return session.run(["logits"], {model_input.name: array})[0]

    return predict


def load_openvino(precision: str, path: Path, threads: int) -> Predict:
    import openvino

    options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}
    model = openvino.Core().compile_model(path, "CPU", options)

    def predict(batch: Batch) -> np.ndarray:
        arrays = batch.encoded
        [array, *others] = arrays.values()
        return model(arrays if others else array)[0]

    return predict


def load_litert(path: Path, threads: int) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    [model_input], [output] = interpreter.get_input_details(), interpreter.get_output_details()
    shape: tuple[int, ...] = ()

    def predict(batch: Batch) -> np.ndarray:
        nonlocal shape
        [inputs] = batch.encoded.values()
        if inputs.shape != shape:
            shape = inputs.shape
            interpreter.resize_tensor_input(model_input["index"], shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(model_input["index"], inputs)
        interpreter.invoke()
        return interpreter.get_tensor(output["index"])

    return predict


class Worker:
    """A process of its own that runs one runtime, for as long as the block takes."""

    def __init__(self, runtime: Runtime, threads: int) -> None:
        # TensorFlow reads them when it makes a session.
        os.environ.update(TF_NUM_INTRAOP_THREADS=f"{threads}", TF_NUM_INTEROP_THREADS=f"{threads}")
        context = multiprocessing.get_context("spawn")
        self.runtime, (self.connection, there) = runtime, context.Pipe()
        self.process = context.Process(
            target=work, args=(there, runtime.load, runtime.path, threads)
        )
        self.process.start()
        there.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.process.join()

    def receive(self) -> Any:
        """Return what it sends next, or raise it where it is an error."""
        try:
            received = self.connection.recv()
        except EOFError:
            received = RuntimeError("its process died")
        if isinstance(received, Exception):
            raise received
        return received

    def run(self, batch: Batch, times: int) -> tuple[np.ndarray, list[float]]:
        """Return the logits, and the seconds of each time."""
        self.connection.send((batch, times))
        return self.receive()


def work(connection: Connection, load: Load, path: Path, threads: int) -> None:
    """Run in the process of a `Worker` until that closes the connection."""
    try:
        predict = load(path, threads)
        connection.send(None)
        while True:
            batch, times = connection.recv()
            seconds = []
            for _ in range(times):
                began = time.perf_counter()
                logits = predict(batch)
                seconds.append(time.perf_counter() - began)
            connection.send((np.asarray(logits, np.float32), seconds))
    except (EOFError, ConnectionError):  # nobody asks any more
        return
    except Exception as error:  # of any kind: it comes from a runtime
        connection.send(RuntimeError(f"{type(error).__name__}: {error}"))


def measure(
    runtimes: list[Runtime], inputs: dict[int, Batch], threads: int, rounds: int
) -> list[Runtime]:
    """Return the runtimes that work and what each took: by turns, and each round another first."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(Worker(replace(one, seconds={}, logits={}), threads))
            for one in runtimes
        ]
        workers = [worker for worker in started if attempt(worker, worker.receive)]
        for size, batch in inputs.items():
            for turn in range(-1, rounds):  # the first one warms up
                first = turn % len(workers)
                for worker in workers[first:] + workers[:first]:
                    if not attempt(worker, partial(take_turn, worker, size, batch, turn)):
                        workers.remove(worker)
        return [worker.runtime for worker in workers]


def attempt(worker: Worker, action: Callable[[], Any]) -> bool:
    """Whether it could be done; says so where not."""
    try:
        action()
    except Exception as error:
        leave_out(worker.runtime.name, error)
        return False
    return True


def take_turn(worker: Worker, size: int, batch: Batch, turn: int) -> None:
    """Run some times, so that each size takes about as long; turn -1 is a warm-up."""
    logits, seconds = worker.run(batch, max(2, 60 // size))
    worker.runtime.logits[size] = logits
    if turn >= 0:
        worker.runtime.seconds.setdefault(size, []).extend(seconds)


def table(runtimes: list[Runtime]) -> Iterator[str]:
    """Its lines; `x` is the median, or the size, as a part of that of plain `model.export`."""
    plain = runtimes[0]
    one, *more = BATCHES
    heads = ["1: p50, p99 ms | x", *(f"{size}: ms, a second | x" for size in more)]
    yield f"| | {' | '.join(heads)} | MB, of them warm-up requests | x | logits differ by |"
    yield "|---" * (2 * len(BATCHES) + 4) + "|"
    for runtime in runtimes:
        late = 1000 * np.percentile(runtime.seconds[one], 99)
        cells = [f"{runtime.median(one):.2f}, {late:.2f} | {part(runtime, plain, one)}"]
        for size in more:
            median = runtime.median(size)
            cells.append(
                f"{median:.1f}, {size / median * 1000:,.0f} | {part(runtime, plain, size)}"
            )
        cells.append("– | –")
        if runtime is plain or runtime.path != plain.path:
            total, requests = size_of(runtime.path), size_of(runtime.path / WARM_UP)
            times = total / size_of(plain.path)
            cells[-1] = f"{total / 1e6:.2f}, {requests / 1e6:.2f} | {times:.2f}"
        apart = max(np.abs(runtime.logits[size] - plain.logits[size]).max() for size in BATCHES)
        yield f"| {runtime.name} | {' | '.join(cells)} | {apart:.0e} |"


def part(runtime: Runtime, plain: Runtime, size: int) -> str:
    return f"{runtime.median(size) / plain.median(size):.2f}"


def size_of(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    return sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file())


if __name__ == "__main__":
    main()
