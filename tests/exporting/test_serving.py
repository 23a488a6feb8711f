"""Files of an export for TF Serving: warm-up requests, configuration, and examples."""

import base64
import json

import helpers
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from keras_fm import cli, registry
from keras_fm.exporting import checks, saved_model, server_files, warmup
from keras_fm.models import building, loading
from keras_fm.serving import rest

# By name the arguments of a small one.
MODELS = {
    "cifar_cnn_basic": {},
    "linear_regression": {},
    "lstm": {"units": 8},
    "char_lstm": {"units": 16, "depth": 1},
    "gan": {},
    "mini_bert": {"depth": 1},
}


QUICK_MODELS = {"cifar_cnn_basic", "linear_regression"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.thorough] * (name not in QUICK_MODELS))
        for name in MODELS
    ],
)
def version(request, tmp_path_factory):
    """The export of a model of each task."""
    model = loading.get(request.param, weights=None, **MODELS[request.param])
    return helpers.export(model, tmp_path_factory.mktemp("exports") / request.param, warmup=True)


@pytest.fixture(scope="module")
def loaded(version):
    """The export as Python loads it, for all tests of it."""
    return tf.saved_model.load(str(version))


def signatures(version):
    return json.loads((version / "keras_fm.json").read_text("utf-8"))["signatures"]


def warmup_requests(version):
    """Read the requests of the warm-up file."""
    file = str(version / warmup.FILE)
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(file)]  # fmt: skip
    return [log.predict_log.request for log in logs]


def test_a_server_can_run_every_warm_up_request(version, loaded):
    requests = []
    for request in warmup_requests(version):
        signature = request.model_spec.signature_name
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        outputs = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        size = len(next(iter(inputs.values())))
        assert all(len(value) == size for value in outputs.values())
        requests.append((request.model_spec.name, signature, size))
    name = version.parent.name
    assert requests == [
        (name, signature, size) for signature in signatures(version) for size in (1, 4, 16, 64)
    ]


def test_a_server_can_load_it(version):
    report = checks.serve_check(version)
    assert report.passed, str(report)


def test_the_readme_has_a_valid_request_for_each_signature(version, loaded):
    """Requests are read as TF Serving reads REST: rows of names, `{"b64": ...}` for bytes."""
    text = (version.parent / "README.md").read_text("utf-8")
    for name in signatures(version):
        body = json.loads((version.parent / "requests" / f"{name}.json").read_text("utf-8"))
        assert body["signature_name"] == name
        assert f"\n## {name}\n" in text
        assert json.dumps(body) in text or f"-d @requests/{name}.json" in text
        specs = loaded.signatures[name].structured_input_signature[1]
        columns = {
            key: tf.constant([_value(row[key]) for row in body["instances"]], spec.dtype)
            for key, spec in specs.items()
        }
        assert all(set(row) == set(specs) for row in body["instances"])
        outputs = loaded.signatures[name](**columns)
        for values in outputs.values():
            assert len(values) == len(body["instances"])
            if values.dtype.is_floating:
                assert np.isfinite(values).all()


def _value(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def test_the_server_reads_the_configuration(version):
    text = (version.parent / "models.config").read_text("utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    name = version.parent.name
    assert (model.name, model.base_path) == (name, f"/models/{name}")
    assert model.model_platform == "tensorflow"


def test_batches_are_those_that_were_warmed_up():
    fields = ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"]
    parameters = _message("BatchingParameters", {name: "Value" for name in fields})
    config = text_format.Parse(server_files.CONFIGS["batching_parameters.txt"], parameters())
    assert list(config.allowed_batch_sizes) == list(warmup.BATCH_SIZES)
    assert config.max_batch_size.value == warmup.BATCH_SIZES[-1]  # else the server refuses it
    assert config.num_batch_threads.value > 0
    with pytest.raises(text_format.ParseError):
        text_format.Parse("max_batch_sizes { value: 1 }", parameters())


def test_metrics_are_served_for_prometheus():
    text = server_files.CONFIGS["monitoring.config"]
    assert text == ('prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n')


def _message(name, fields):
    """Build a message of TF Serving that its Python package leaves out."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="t", syntax="proto3")
    value = file.message_type.add(name="Value")
    value.field.add(name="value", number=1, type=3, label=1)
    message = file.message_type.add(name=name)
    for number, (field, type_name) in enumerate(fields.items(), 1):
        message.field.add(name=field, number=number, type=11, label=1, type_name=f".t.{type_name}")
    message.field.add(name="allowed_batch_sizes", number=90, type=3, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}"))


def test_tuned_files_stay_and_the_readme_is_written_anew(tmp_path):
    model = loading.get("linear_regression")
    helpers.export(model, tmp_path, warmup=True)
    (tmp_path / "batching_parameters.txt").write_text("mine")
    (tmp_path / "README.md").write_text("old")
    helpers.export(model, tmp_path)
    assert (tmp_path / "batching_parameters.txt").read_text() == "mine"
    assert (tmp_path / "README.md").read_text().startswith(f"# {tmp_path.name}, for TF Serving")
    assert (tmp_path / "1" / warmup.FILE).exists()
    assert not (tmp_path / "2" / "assets.extra").exists()


def test_numbers_are_written_as_short_as_they_are():
    body = rest.encode_request("s", {"x": np.array([61.7], "float32"), "n": np.array([[1, 2]])})
    assert json.loads(body) == {"signature_name": "s", "instances": [{"x": 61.7, "n": [1, 2]}]}
    assert "61.7," in body


@pytest.mark.thorough
def test_the_metadata_has_a_digest_of_the_weights(small_run, tmp_path):
    metadata = [
        json.loads(
            (saved_model.export(model, tmp_path, warmup=False) / "keras_fm.json").read_text("utf-8")
        )
        for model in (small_run.model, building.as_float32(small_run.model))
    ]
    assert metadata[0]["weights_sha256"] == metadata[1]["weights_sha256"]
    other = building.as_float32(small_run.model)
    other.get_layer("logits").bias.assign_add(np.full(10, 1e-3, "float32"))
    changed = json.loads(
        (saved_model.export(other, tmp_path, warmup=False) / "keras_fm.json").read_text("utf-8")
    )
    assert changed["weights_sha256"] != metadata[0]["weights_sha256"]


@pytest.mark.thorough
def test_the_whole_zoo_is_exported_for_one_server(tmp_path, monkeypatch, capsys):
    names = ["cifar_cnn_basic", "linear_regression"]
    monkeypatch.setattr(registry, "list_models", lambda **_: names)
    assert cli.main(["export", "--all", str(tmp_path), "--no-warmup"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / name / "1") for name in names]
    text = (tmp_path / "models.config").read_text("utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    assert [model.name for model in config.model_config_list.config] == names


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["exports"], "expected MODEL DIRECTORY, or --all DIRECTORY; received 'exports' alone"),
        (["cifar_cnn", "exports", "--all"], "name the directory alone"),
    ],
)
def test_invalid_arguments_of_export(arguments, sentence, capsys):
    assert cli.main(["export", *arguments]) == 2
    assert sentence in capsys.readouterr().err
