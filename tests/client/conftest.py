"""The models that a client asks for, and the servers that have them.

The server is `serving_server.py`.
"""

import csv
import socket

import helpers
import pytest
from serving_server import ServingServer

from keras_fm.data import datasets
from keras_fm.exporting import saved_model
from keras_fm.models import loading

# A model of each task, and what is changed of one that would take long.
MODELS = {
    "cifar_cnn_basic": {},
    "linear_regression": {},
    "lstm": {"weights": None, "units": 8, "width": 8},
    "char_lstm": {"weights": None, "units": 16, "width": 8},
    "gan": {},
}


@pytest.fixture(params=MODELS)
def name(request):
    """Of each model that is served."""
    return request.param


@pytest.fixture(params=["rest", "grpc"])
def protocol(request):
    """Both."""
    return request.param


@pytest.fixture(scope="session")
def asked():
    """The models that are served."""
    return {name: loading.get(name, **changes) for name, changes in MODELS.items()}


@pytest.fixture(scope="session")
def exports(asked, tmp_path_factory):
    base = tmp_path_factory.mktemp("exports")
    return {
        name: saved_model.export(model, base / name, warmup=False) for name, model in asked.items()
    }


@pytest.fixture(scope="session")
def serving(exports):
    server = ServingServer({name: [version] for name, version in exports.items()})
    yield server
    server.close()


@pytest.fixture
def server(serving):
    """The same one, which a test may disturb."""
    serving.seen.clear()
    yield serving
    serving.delay = 0.0


@pytest.fixture
def serve():
    """`serve({"name": version})`: another server."""
    started = []

    def start(versions):
        started.append(ServingServer({name: [version] for name, version in versions.items()}))
        return started[-1]

    yield start
    for server in started:
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
