"""The columns of TensorBoard's HParams, where runs of several models are shown together."""

import types

import helpers
import pytest
import tensorboard_logs

from keras_fm import registry
from keras_fm.cli import hparams_columns
from keras_fm.cli.tensorboard import link_logs
from keras_fm.models.spec import ModelSpec
from keras_fm.training import hparams
from keras_fm.training.jobs import TrainingJob


def write_run(folder, model, metrics, **overrides):
    """Write the HParams of a run; return its logs."""
    spec = ModelSpec.of(registry.find(model)[0])
    recipe = spec.task.default_recipe().override(**overrides)
    job = TrainingJob(spec, helpers.noise(), helpers.noise(), recipe, seed=0)
    hparams.write_hparams(folder, job, metrics, "from random")
    return folder / "logs"


def shown_experiment(folder):
    """Return the experiment that TensorBoard's HParams shows of a folder of logs."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams.backend_context import Context

    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder)).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    flags = types.SimpleNamespace(generic_data="true")
    context = Context(base_plugin.TBContext(data_provider=provider, flags=flags))
    request = RequestContext()
    metadata = context.hparams_metadata(request, "")
    return context.experiment_from_metadata(request, "", True, metadata, [])


@pytest.fixture
def shown(tmp_path):
    folder = tmp_path / "shown"
    folder.mkdir()
    return folder


def test_columns_are_those_of_all_runs(tmp_path, shown):
    logs = {
        "a": write_run(tmp_path / "a", "cifar_cnn_basic", {"accuracy": 0.5}, epochs=3),
        "z": write_run(tmp_path / "z", "linear_regression", {"rmse_log": 0.2}),
    }
    link_logs(logs, shown)
    assert hparams_columns.write_columns(logs, shown)
    experiment = shown_experiment(shown)
    columns = {info.name: info for info in experiment.hparam_infos}
    single = [
        {info.name for info in hparams_columns.read_columns(path)[0].hparam_infos}
        for path in logs.values()
    ]
    assert single[0] != single[1]
    assert set(columns) == single[0] | single[1]
    assert columns["model"].differs
    assert not columns["seed"].differs
    tags = {metric.name.tag for metric in experiment.metric_infos}
    assert tags == {"5_result/accuracy", "5_result/rmse_log"}


def test_runs_of_the_same_columns_need_no_others(tmp_path, shown):
    logs = {name: write_run(tmp_path / name, "cifar_cnn_basic", {"accuracy": 0.5}) for name in "ab"}
    assert not hparams_columns.write_columns(logs, shown)
    assert not [*shown.iterdir()]


def test_logs_without_hparams_have_no_columns(tmp_path, shown):
    (tmp_path / "none" / "train").mkdir(parents=True)
    logs = {"none": tmp_path / "none", "a": write_run(tmp_path / "a", "mlp", {"rmse": 1.0})}
    assert not hparams_columns.write_columns(logs, shown)
    assert tensorboard_logs.read_events(shown).Tags()["tensors"] == []
