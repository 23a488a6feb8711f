"""What TensorBoard's HParams shows of a run."""

import helpers
import tensorboard_logs
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from keras_fm import registry
from keras_fm.models.spec import ModelSpec
from keras_fm.training import hparams
from keras_fm.training.jobs import TrainingJob


def job_with(**overrides):
    spec = ModelSpec.of(registry.find("cifar_cnn_basic")[0])
    recipe = spec.task.default_recipe().override(**overrides)
    return TrainingJob(spec, helpers.noise(), helpers.noise(), recipe, seed=3)


def plugin_data(events, name):
    content = events.SummaryMetadata(f"_hparams_/{name}").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def written(path, job, metrics):
    hparams.write_hparams(path, job, metrics, "a method")
    return tensorboard_logs.read_events(path / "logs" / "validation")


def test_a_result_is_shown_with_its_method(tmp_path):
    metrics = {"accuracy": 0.25, "auc": 0.5}
    events = written(tmp_path, job_with(), metrics)
    for name, value in metrics.items():
        [event] = events.Tensors(f"5_result/{name}")
        assert tf.make_ndarray(event.tensor_proto) == value
    start = plugin_data(events, "session_start_info").session_start_info
    assert start.hparams["method"].string_value == "a method"
    assert start.group_name.partition(" ")[0] == tmp_path.name
    experiment = plugin_data(events, "experiment").experiment
    assert [info.name.tag for info in experiment.metric_infos] == [
        "5_result/accuracy",
        "5_result/auc",
    ]
    assert [info.display_name for info in experiment.metric_infos] == ["accuracy", "auc"]


def test_columns_are_what_was_changed_and_no_defaults(tmp_path):
    events = written(tmp_path, job_with(flip="random", epochs=7, validation_examples=4), {})
    experiment = plugin_data(events, "experiment").experiment
    columns = {info.name: info.differs for info in experiment.hparam_infos}
    first = {name for name, differs in columns.items() if differs}
    assert first == {"method", "learning_rate", "flip", "epochs"}
    assert {"model", "seed", "dataset", "batch_size", "optimizer"} < columns.keys()
    assert not {"momentum", "teacher", "lora_rank", "image_sizes"} & columns.keys()
    start = plugin_data(events, "session_start_info").session_start_info
    assert start.hparams.keys() == columns.keys()


def test_a_run_without_validation_is_one_run_of_tensorboard(tmp_path):
    job = job_with()
    job = TrainingJob(job.spec, job.examples, None, job.recipe, seed=0)
    hparams.write_hparams(tmp_path, job, {}, "a method")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["train"]
