"""`keras-fm serve-check`, on exports that a server takes and on others."""

import json

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from serving_server import ServingServer

from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.errors import ExportError, InvalidInputError
from keras_fm.exporting import checks, saved_model, warmup
from keras_fm.exporting.session import Session
from keras_fm.tasks.task import Signature


@pytest.fixture(scope="module")
def version(small_run, tmp_path_factory):
    """The export of the small run."""
    return saved_model.export(small_run.model, tmp_path_factory.mktemp("export"))


@pytest.fixture
def server(version):
    """`server(change)`: a server of it that alters what it answers."""
    servers = []

    def start(change=lambda answers: answers):
        servers.append(ServingServer({"cifar_cnn_basic": [version]}))
        servers[-1].change = change
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def save(module, path, answer, spec):
    """A SavedModel of one function, with a warm-up request of zeros."""
    function = tf.function(answer, input_signature=[spec])
    tf.saved_model.save(module, str(path), {"serving_default": function})
    example = {spec.name: np.zeros([size or 1 for size in spec.shape], spec.dtype.as_numpy_dtype)}
    warmup.write_warmup(path, "it", {"serving_default": Signature(answer, [spec], example)})
    return path


def test_an_export_holds(version):
    report = checks.serve_check(version.parent)
    assert report.passed, str(report)
    assert report.version == version
    assert [check.about for check in report.checks] == [
        "operations of stock TensorFlow",
        "TensorFlow's C++ loader",
        *(f"signature {name}" for name in Session(version).signatures),
    ]
    assert "4 warm-up requests" in str(report)


def test_the_c_api_answers_what_python_does(version):
    images = datasets.sample("cifar10").inputs[:5]
    files = np.array([helpers.encode(image) for image in images], object)
    served = tf.saved_model.load(str(version))
    with Session(version) as session:
        for name, inputs in {
            "serving_default": {"image": images},
            "serve_bytes": {"image_bytes": files},
            "features": {"image": images},
            "pixels": {"image": images.astype("float32")},
        }.items():
            ours = session.run(name, inputs)
            tensors = {given: tf.constant(value) for given, value in inputs.items()}
            theirs = served.signatures[name](**tensors)
            assert set(ours) == set(theirs)
            for output, values in theirs.items():
                np.testing.assert_array_equal(ours[output], values.numpy())


@pytest.mark.parametrize(
    ("signature", "inputs", "sentence"),
    [
        ("serve", {}, "no signature 'serve'; there are"),
        ("features", {"img": np.zeros(1)}, r"features takes \['image'\]; received \['img'\]"),
        ("features", {"image": np.zeros((1, 2, 2, 3), "float32")}, "uint8"),
        ("serve_bytes", {"image_bytes": np.array([b"no image"], object)}, "expected a whole JPEG"),
    ],
)
def test_a_request_that_a_server_refuses(signature, inputs, sentence, version):
    with Session(version) as session, pytest.raises(ExportError, match=sentence):
        session.run(signature, inputs)


def test_a_keras_model_saved_as_it_is_does_not_run_in_a_server(tmp_path, capsys):
    """keras#20095: Python loads it."""
    given = keras.Input((3,), name="x")
    model = keras.Model(given, keras.layers.Dense(2)(given))
    tf.saved_model.save(model, str(tmp_path / "1"))
    tf.saved_model.load(str(tmp_path / "1"))
    assert cli.main(["serve-check", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  signature serving_default" in shown
    assert "Could not find variable" in shown


def test_pythons_own_functions_are_not_there(tmp_path):
    spec = tf.TensorSpec((None, 2), tf.float32, name="x")

    def answer(x):
        return {"y": tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), (None, 2))}

    report = checks.serve_check(save(tf.Module(), tmp_path / "1", answer, spec))
    assert not report.passed
    assert "not there: EagerPyFunc" in str(report) or "not there: PyFunc" in str(report)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: {"y": x / x}, "y is not finite"),
        (lambda x: {"y": tf.reduce_sum(x)}, "y has no row for each of 1"),
        (lambda x: {"y": tf.cast(x, tf.bfloat16)}, "y is bfloat16"),
        (lambda x: {"y": x[:, 0] + tf.cast(tf.shape(x)[0], tf.float32)}, "differ by 6e+01"),
    ],
)
def test_answers_that_no_client_wants(answer, sentence, tmp_path):
    spec = tf.TensorSpec((None, 2), tf.float32, name="x")
    report = checks.serve_check(save(tf.Module(), tmp_path / "1", answer, spec))
    assert not report.passed
    assert sentence in str(report)


@pytest.mark.parametrize("length", [0, 1000])
def test_a_file_that_was_cut_is_no_model(length, version, tmp_path):
    content = (version / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[:length])
    assert not checks.serve_check(tmp_path).holds


def test_where_there_is_no_model(tmp_path, capsys):
    with pytest.raises(InvalidInputError, match="holds no SavedModel and no version of one"):
        checks.serve_check(tmp_path)
    assert cli.main(["serve-check", str(tmp_path / "nothing")]) == 2


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_server_that_answers_the_same_holds(protocol, server, version):
    report = checks.serve_check(version, url=getattr(server(), protocol))
    assert report.passed, str(report)
    assert str(report).count("1 rows, ") == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda answers: {k: v[:0] for k, v in answers.items()}, "[0] was answered, and [1"),
        (lambda answers: {k: v for k, v in answers.items() if k != "label"}, "does not answer"),
        (
            lambda answers: {
                k: v + 1 if v.dtype.kind == "f" else v for k, v in answers.items()
            },
            "1e+00 from what it answers here",
        ),
        (
            lambda answers: {k: np.array([b"no"], object) if k == "label" else v
                             for k, v in answers.items()},
            "label: [b'no'] was answered",
        ),
    ],
)  # fmt: skip
def test_a_server_that_answers_otherwise_does_not(change, sentence, server, version):
    report = checks.serve_check(version, url=server(change).rest)
    assert not report.passed
    assert sentence in str(report)


def test_what_a_server_says_is_passed_on(server, version, small_run, tmp_path):
    moved = saved_model.export(small_run.model, tmp_path, warmup=False)
    about = json.loads((moved / "keras_fm.json").read_text("utf-8"))
    (moved / "keras_fm.json").write_text(json.dumps({**about, "model": "other"}))
    assert "answered 404: " in str(checks.serve_check(moved, url=server().rest))
    assert "no warm-up request to run" in str(checks.serve_check(moved))
    assert "refused" in str(checks.serve_check(version, url="http://127.0.0.1:9"))
