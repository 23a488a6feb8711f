"""NVIDIA's Triton serves the exports on a CPU.

Its Python backend runs `triton_model.py`. The server needs an environment of its own, which
`.ci/run` makes; TensorFlow it borrows from this one.
"""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.data import datasets
from keras_fm.exporting import saved_model

ENVIRONMENT = Path(os.environ.get("TRITON_ENV", "nowhere")).resolve()
PACKAGES = ENVIRONMENT / sysconfig.get_path("platlib", vars={"base": "", "platbase": ""}).lstrip(
    "/"
)
SERVER = PACKAGES / "pytriton" / "tritonserver"
STUBS = SERVER / "python_backend_stubs" / ".".join(platform.python_version_tuple()[:2])
TRITON_DTYPES = {tf.uint8: "UINT8", tf.float32: "FP32", tf.int32: "INT32", tf.string: "BYTES"}
TIMEOUT = 300  # seconds for the server to load TensorFlow, while other tests run

pytestmark = pytest.mark.skipif(
    not STUBS.is_dir(), reason="TRITON_ENV names no environment with nvidia-pytriton: see .ci/run"
)


@pytest.fixture(scope="module")
def versions(small_run, tmp_path_factory):
    """The exports of a model of images and of one of a table, which has string columns."""
    folder = tmp_path_factory.mktemp("exports")
    return {
        name: saved_model.export(model, folder / name)
        for name, model in {"images": small_run.model, "table": "linear_regression"}.items()
    }


@pytest.fixture(scope="module")
def served(versions):
    """The exports, loaded by TensorFlow here."""
    return {name: tf.saved_model.load(str(version)) for name, version in versions.items()}


@pytest.fixture(scope="module")
def server(versions, served, tmp_path_factory):
    """The ports of a running Triton with the models `images` and `table`: of HTTP and of gRPC."""
    repository = tmp_path_factory.mktemp("repository")
    for name, version in versions.items():
        (repository / name / "1").mkdir(parents=True)
        shutil.copy(
            helpers.ROOT / "tests" / "triton_model.py", repository / name / "1" / "model.py"
        )
        (repository / name / "config.pbtxt").write_text(
            configure(version, served[name].signatures["serving_default"])
        )
    backend = tmp_path_factory.mktemp("backends") / "python"
    backend.mkdir()
    for file in [*(SERVER / "backends" / "python").glob("*.*"), *STUBS.iterdir()]:
        (backend / file.name).symlink_to(file)
    with run(repository, backend.parent) as ports:
        yield ports


def configure(version, signature):
    """Return Triton's configuration of a model with the inputs and outputs of the signature."""
    parameters = {
        "version": version,
        "signature": "serving_default",
        "packages": Path(tf.__file__).parents[1],
    }
    lines = ['backend: "python"', "max_batch_size: 0"]  # the batch is one of the dimensions
    tensors = {
        "input": signature.structured_input_signature[1],
        "output": signature.structured_outputs,
    }
    for side, specs in tensors.items():
        for name, spec in specs.items():
            dtype = TRITON_DTYPES[spec.dtype].replace("BYTES", "STRING")
            sizes = [-1 if size is None else size for size in spec.shape]
            lines.append(f'{side} {{ name: "{name}" data_type: TYPE_{dtype} dims: {sizes} }}')
    for key, value in parameters.items():
        lines.append(f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}')
    return "\n".join(lines)


@contextmanager
def run(repository, backends):
    """Run a Triton on this machine alone, until the block ends."""
    http, grpc = free_port(), free_port()
    log = repository.parent / "triton.log"
    environment = {
        **os.environ,
        # Its Python is the first one on the path, with the library that this one runs on.
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR"),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                SERVER / "bin" / "tritonserver",
                f"--model-repository={repository}",
                f"--backend-directory={backends}",
                "--http-address=127.0.0.1",
                f"--http-port={http}",
                "--grpc-address=127.0.0.1",
                f"--grpc-port={grpc}",
                "--allow-metrics=false",
                "--disable-auto-complete-config",
            ],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, http, log)
        yield http, grpc
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def wait_until_ready(process, port, log):
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready"):
                return
        except OSError:  # it does not listen yet
            time.sleep(0.2)
    pytest.fail(f"not ready after {TIMEOUT} s:\n{log.read_text('utf-8', 'replace')}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def post(port, model, inputs):
    """Return the outputs over HTTP, by name."""
    body = {
        "inputs": [
            {
                "name": name,
                "datatype": TRITON_DTYPES[tf.as_dtype(value.dtype)],
                "shape": value.shape,
                "data": [x.decode() if isinstance(x, bytes) else x.item() for x in value.flat],
            }
            for name, value in inputs.items()
        ]
    }
    url = f"http://127.0.0.1:{port}/v2/models/{model}/infer"
    with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
        outputs = json.load(response)["outputs"]
    return {output["name"]: np.reshape(output["data"], output["shape"]) for output in outputs}


def infer(port, model, inputs):
    """Return the outputs over gRPC, by name."""
    from tritonclient import grpc

    tensors = []
    for name, value in inputs.items():
        tensors.append(grpc.InferInput(name, value.shape, TRITON_DTYPES[tf.as_dtype(value.dtype)]))
        tensors[-1].set_data_from_numpy(value)
    with grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        response = client.infer(model, tensors)
    names = [output.name for output in response.get_response().outputs]
    return {name: response.as_numpy(name) for name in names}


def requests(model):
    """Return inputs by name: of one example, of several, and images that are resized."""
    if model == "images":
        images = datasets.sample("cifar10").inputs
        return [{"image": batch} for batch in (images[:1], images[:5], images[:2, :20, :31])]
    table = datasets.sample("diamonds").inputs
    rows = {name: np.asarray(column[:3]) for name, column in table.items()}
    return [{name: as_served(column[:size]) for name, column in rows.items()} for size in (1, 3)]


def as_served(column):
    if column.dtype.kind == "f":
        return column.astype("float32")
    return np.array([x if isinstance(x, bytes) else str(x).encode() for x in column], object)


@pytest.mark.parametrize("model", ["images", "table"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_outputs_are_those_of_tensorflow(protocol, model, server, served, monkeypatch):
    if protocol == "grpc":
        monkeypatch.setattr(sys, "path", [*sys.path, str(PACKAGES)])  # behind this one's own
        pytest.importorskip("tritonclient.grpc")
    request = {"http": post, "grpc": infer}[protocol]
    for inputs in requests(model):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        expected = served[model].signatures["serving_default"](**tensors)
        outputs = request(server[protocol == "grpc"], model, inputs)
        assert set(outputs) == set(expected)
        for name, values in expected.items():
            if values.dtype == tf.string:
                assert outputs[name].astype("U").tolist() == values.numpy().astype("U").tolist()
            else:
                np.testing.assert_allclose(outputs[name], values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 32, 32, 4), "unexpected shape for input 'image' for model 'images'"),
        ((32, 32, 3), "unexpected shape for input 'image' for model 'images'"),
    ],
)
def test_an_image_of_another_shape_is_refused(shape, message, server):
    code, error = error_of(server, "images", {"image": np.zeros(shape, "uint8")})
    assert code == 400
    assert message in error


def test_errors_of_tensorflow_are_passed_on(server, served):
    one, three = requests("table")
    mismatched = {**three, "carat": one["carat"]}
    tensors = {name: tf.constant(value) for name, value in mismatched.items()}
    message = "expected as many rows in each input; received carat [1], clarity [3]"
    with pytest.raises(tf.errors.OpError) as caught:
        served["table"].signatures["serving_default"](**tensors)
    assert message in caught.value.message
    code, error = error_of(server, "table", mismatched)
    assert code == 500
    assert message in error


def error_of(server, model, inputs):
    """Return the code and the message of the server's error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server[0], model, inputs)
    with caught.value as error:
        return error.code, json.load(error)["error"]
