"""`keras-fm serve-check`, on exports that a server can run and on others."""

import shutil

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from serving_server import ServingServer
from tensorflow.core.protobuf import saved_model_pb2

from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.errors import ExportError, InvalidInputError
from keras_fm.exporting import checks, saved_model, warmup
from keras_fm.exporting.session import Session
from keras_fm.tasks.base import Signature


@pytest.fixture(scope="module")
def version(small_version):
    """The export of the small run."""
    return small_version


@pytest.fixture(scope="module")
def session(version):
    """The export in a session, which keeps nothing of a request."""
    with Session(version) as session:
        yield session


@pytest.fixture(scope="module")
def serving(version):
    """A server of the export."""
    server = ServingServer({"cifar_cnn_basic": [version]})
    yield server
    server.close()


@pytest.fixture
def server(serving):
    """`server(change)`: the same server, which alters its outputs."""
    unchanged = serving.change

    def start(change=unchanged):
        serving.change = change
        return serving

    yield start
    serving.change = unchanged


def save(module, path, fn, spec):
    """Write a SavedModel of one function, with a warm-up request of zeros."""
    function = tf.function(fn, input_signature=[spec])
    tf.saved_model.save(module, str(path), {"serving_default": function})
    example = {spec.name: np.zeros([size or 1 for size in spec.shape], spec.dtype.as_numpy_dtype)}
    warmup.write_warmup(path, "it", {"serving_default": Signature(fn, [spec], example)})
    return path


def test_an_export_passes(version):
    (version.parent / "0").mkdir(exist_ok=True)
    report = checks.serve_check(version.parent)
    assert report.passed, str(report)
    assert report.version == version
    assert [check.name for check in report.checks] == [
        "operations of stock TensorFlow",
        "TensorFlow session",
        *(f"signature {name}" for name in ["features", "pixels", "serve_bytes", "serving_default"]),
    ]
    assert "4 warm-up requests" in str(report)


def test_a_session_has_the_outputs_of_a_python_signature(version, session):
    images = datasets.sample("cifar10").inputs[:5]
    files = np.array([helpers.encode(image) for image in images], object)
    loaded = tf.saved_model.load(str(version))
    for name, inputs in {
        "serving_default": {"image": images},
        "serve_bytes": {"image_bytes": files},
        "features": {"image": images},
        "pixels": {"image": images.astype("float32")},
    }.items():
        outputs = session.run(name, inputs)
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        expected = loaded.signatures[name](**tensors)
        assert set(outputs) == set(expected)
        for output, values in expected.items():
            assert outputs[output].dtype == values.dtype.as_numpy_dtype
            np.testing.assert_array_equal(outputs[output], values.numpy())


@pytest.mark.parametrize(
    ("signature", "inputs", "sentence"),
    [
        ("serve", {}, "no signature 'serve'; there are"),
        ("features", {"img": np.zeros(1)}, r"features takes \['image'\]; received \['img'\]"),
        ("features", {"image": np.zeros((1, 2, 2, 3), "float32")}, "actual float vs. expect uint8"),
        ("features", {"image": np.zeros((1, 2, 2, 3), "int64")}, "actual int64 vs. expect uint8"),
        ("features", {"image": np.array([b"x"], object)}, "actual string vs. expect uint8"),
        # The graph refuses a wrong shape, not the session in front of it: a server has none.
        ("features", {"image": np.zeros((2, 2, 3), "uint8")}, r"assertion failed: \[image: expec"),
        ("features", {"image": np.zeros((1, 2, 2, 4), "uint8")}, "assertion failed"),
        ("pixels", {"image": np.zeros((1, 33, 33, 3), "float32")}, "assertion failed"),
        ("serve_bytes", {"image_bytes": np.array([b"no image"], object)}, "expected a whole JPEG"),
    ],
)
def test_a_session_refuses_the_requests_that_a_server_refuses(signature, inputs, sentence, session):
    with pytest.raises(ExportError, match=sentence):
        session.run(signature, inputs)


def test_an_error_has_tensorflows_code(session):
    with pytest.raises(ExportError) as caught:
        session.run("serve_bytes", {"image_bytes": np.array([b"no image"], object)})
    assert caught.value.code == tf.errors.INVALID_ARGUMENT


def save_keras_model(path):
    """Save a model without `model.export`."""
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    tf.saved_model.save(model, path)


def save_module(path, variables):
    """Save a module that holds the variables of a Keras layer in another way."""
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    module = tf.Module()
    module.held = variables(layer)
    spec = tf.TensorSpec((None, 3), tf.float32, name="x")
    signature = tf.function(lambda x: {"y": layer(x)}, input_signature=[spec])
    tf.saved_model.save(module, path, {"serving_default": signature})


@pytest.mark.parametrize(
    "save_model",
    [
        save_keras_model,
        lambda path: save_module(path, lambda layer: layer),
        lambda path: save_module(path, lambda layer: layer.variables),
    ],
)
def test_keras_variables_saved_as_they_are_do_not_run_in_a_server(save_model, tmp_path, capsys):
    """keras#20095: Python runs it."""
    save_model(str(tmp_path / "1"))
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    [name] = signature.structured_input_signature[1]
    signature(**{name: tf.zeros((1, 3))})
    assert cli.main(["serve-check", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  signature serving_default" in shown
    assert "Could not find variable" in shown


def test_python_functions_do_not_run_in_a_server(tmp_path):
    spec = tf.TensorSpec((None, 2), tf.float32, name="x")

    def fn(x):
        return {"y": tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), (None, 2))}

    report = checks.serve_check(save(tf.Module(), tmp_path / "1", fn, spec))
    assert not report.passed
    assert "not there: EagerPyFunc" in str(report) or "not there: PyFunc" in str(report)


@pytest.mark.parametrize(
    ("fn", "sentence"),
    [
        (lambda x: {"y": x / x}, "y is not finite"),
        (lambda x: {"y": tf.reduce_sum(x)}, "y has no row for each of 1"),
        (lambda x: {"y": tf.cast(x, tf.bfloat16)}, "y is bfloat16"),
        (lambda x: {"y": x[:, 0] + tf.cast(tf.shape(x)[0], tf.float32)}, "differ by 6e+01"),
    ],
)
def test_outputs_that_no_client_can_use(fn, sentence, tmp_path):
    spec = tf.TensorSpec((None, 2), tf.float32, name="x")
    report = checks.serve_check(save(tf.Module(), tmp_path / "1", fn, spec))
    assert not report.passed
    assert sentence in str(report)


@pytest.mark.parametrize("length", [0, 1000])
def test_a_file_that_was_cut_is_no_model(length, version, tmp_path):
    content = (version / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[:length])
    report = checks.serve_check(tmp_path)
    assert [check.passed for check in report.checks] == [False, False]


def change_proto(version, change):
    """Rewrite `saved_model.pb` after `change(meta_graph)`."""
    path = version / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(proto.meta_graphs[0])
    path.write_bytes(proto.SerializeToString())


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def rename_operation(meta_graph):
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            node.op = node.op.replace("BiasAdd", "TheirBiasAdd")


def call_missing_function(meta_graph):
    for node in meta_graph.graph_def.node:
        if node.op == "StatefulPartitionedCall":
            node.attr["f"].func.name = "nothing"


def name_missing_output(meta_graph):
    meta_graph.signature_def["features"].outputs["embedding"].name = "nothing:0"


DATA = "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda v: flip_a_bit(v / DATA), "Checksum does not match"),
        (lambda v: (v / DATA).write_bytes((v / DATA).read_bytes()[:-999]), "Read less bytes"),
        (lambda v: (v / DATA).unlink(), "No such file or directory"),
        (lambda v: (v / "variables/variables.index").unlink(), "not a valid checkpoint"),
        (lambda v: (v / "assets/labels.txt").unlink(), "labels.txt; No such file or directory"),
        (lambda v: change_proto(v, rename_operation), "not registered 'TheirBiasAdd'"),
        (lambda v: change_proto(v, rename_operation), "not there: TheirBiasAdd"),
        (lambda v: change_proto(v, lambda m: m.meta_info_def.tags.remove("serve")), "tags"),
        (lambda v: change_proto(v, call_missing_function), "does not hold: ['nothing']"),
        (lambda v: change_proto(v, lambda m: m.ClearField("saver_def")), "not find variable"),
        (lambda v: change_proto(v, name_missing_output), "nothing"),
    ],
)
def test_a_damaged_export_fails(damage, sentence, version, tmp_path):
    copy = shutil.copytree(version, tmp_path / "1")
    damage(copy)
    report = checks.serve_check(copy)
    assert not report.passed
    assert any(sentence in check.detail for check in report.checks if not check.passed), str(report)


def test_where_there_is_no_model(tmp_path, capsys):
    with pytest.raises(InvalidInputError, match="holds no SavedModel and no version of one"):
        checks.serve_check(tmp_path)
    assert cli.main(["serve-check", str(tmp_path / "nothing")]) == 2


@pytest.mark.parametrize("protocol", helpers.first(["rest", "grpc"], 1))
def test_a_server_with_the_same_outputs_passes(protocol, server, version):
    report = checks.serve_check(version, url=getattr(server(), protocol))
    assert report.passed, str(report)
    assert str(report).count("1 row, ") == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda outputs: {k: v[:0] for k, v in outputs.items()}, "; received [0",
            marks=pytest.mark.thorough,
        ),
        (lambda outputs: {k: v for k, v in outputs.items() if k != "label"}, "does not respond"),
        (
            lambda outputs: {
                k: v + 1 if v.dtype.kind == "f" else v for k, v in outputs.items()
            },
            "1e+00 from the outputs here",
        ),
        pytest.param(
            lambda outputs: {k: np.array([b"no"], object) if k == "label" else v
                             for k, v in outputs.items()},
            "label: expected [b'",
            marks=pytest.mark.thorough,
        ),
    ],
)  # fmt: skip
def test_a_server_with_other_outputs_fails(change, sentence, server, version):
    report = checks.serve_check(version, url=server(change).rest)
    assert not report.passed
    assert sentence in str(report)


@pytest.mark.thorough
def test_an_error_of_the_server_is_passed_on(server, version, small_run, tmp_path):
    moved = saved_model.export(small_run.model, tmp_path / "other", warmup=False)
    assert "returned 404: " in str(checks.serve_check(moved, url=server().rest))
    assert "no warm-up request to run" in str(checks.serve_check(moved))
    assert "refused" in str(checks.serve_check(version, url="http://127.0.0.1:9"))
