"""Models of each task, and the servers that serve them; the server is `serving_server.py`."""

import csv
import os
import socket

import helpers
import keras
import pytest
from filelock import FileLock
from serving_server import ServingServer

from keras_fm.data import datasets
from keras_fm.models import loading

# A model of each task, with arguments that make it small where it would take long.
MODELS = {
    "cifar_cnn_basic": {},
    "linear_regression": {},
    "lstm": {"weights": None, "units": 8, "width": 8},
    "char_lstm": {"weights": None, "units": 16, "width": 8, "depth": 1},
    "gan": {},
}


@pytest.fixture(params=MODELS)
def name(request):
    """Name of each served model."""
    return request.param


@pytest.fixture(params=["rest", "grpc"])
def protocol(request):
    """Each protocol."""
    return request.param


@pytest.fixture(scope="session")
def models():
    """The served models, by name; random weights are the same in all of pytest's workers."""
    keras.utils.set_random_seed(0)
    return {name: loading.get(name, **arguments) for name, arguments in MODELS.items()}


@pytest.fixture(scope="session")
def exports(models, tmp_path_factory):
    """The versions of the served models, by name; one of pytest's workers writes them for all."""
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "served_models"
    with FileLock(f"{base}.lock"):
        if not base.exists():
            for name, model in models.items():
                helpers.export(model, base / name)
    return {name: base / name / "1" for name in models}


@pytest.fixture(scope="session")
def serving(exports):
    """A server of all exports."""
    server = ServingServer({name: [version] for name, version in exports.items()})
    yield server
    server.close()


@pytest.fixture
def server(serving):
    """The same server, whose delay a test may set."""
    serving.batch_sizes.clear()
    serving.headers.clear()
    yield serving
    serving.delay = 0.0


@pytest.fixture
def serve():
    """`serve({"name": version})`: starts another server."""
    servers = []

    def start(versions):
        servers.append(ServingServer({name: [version] for name, version in versions.items()}))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def folder(diamonds, tmp_path_factory):
    """A photo, and a table as a CSV file."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "photo.jpg").write_bytes(helpers.encode(helpers.image(50, 70), "JPEG"))
    rows = [*diamonds[:3], {**diamonds[3], "carat": "", "color": "none"}]
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "note"], restval="x")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def diamonds():
    """Rows of the bundled table."""
    columns = datasets.sample("diamonds").inputs
    return [{name: column[i].item() for name, column in columns.items()} for i in range(70)]


@pytest.fixture
def nowhere():
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"
