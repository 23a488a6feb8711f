"""Searches: trials are runs, a study is resumed, and the best recipe is that of the best trial."""

import json
import os
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import helpers
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import cli
from keras_fm.errors import DataError, InvalidInputError, RunError, UnknownNameError
from keras_fm.models import run_files
from keras_fm.training import monitoring
from keras_fm.tuning import arguments
from keras_fm.tuning.objective import is_greater_better, resolve_metric
from keras_fm.tuning.pruning import Pruning, monitored_value
from keras_fm.tuning.trial_training import TrialTraining

SPACE = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
SMALL = {"data": "sample", "epochs": 1, "validation_examples": 51, "verbose": 0}


def tune(directory, name="linear_regression", **options):
    pytest.importorskip("optuna")
    return keras_fm.tune(name, directory=directory, **{"space": SPACE, **SMALL, **options})


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return tune(tmp_path_factory.mktemp("tuning") / "small", trials=3)


def test_without_optuna_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    find_spec = arguments.importlib.util.find_spec
    monkeypatch.setattr(
        arguments.importlib.util,
        "find_spec",
        lambda name, *more: None if name == "optuna" else find_spec(name, *more),
    )
    message = r"tune needs the package optuna: pip install 'keras_fm\[tune\]'"
    with pytest.raises(InvalidInputError, match=message):
        keras_fm.tune("linear_regression", data="sample", directory=tmp_path / "study")
    assert cli.main(["tune", "linear_regression", "--data", "sample"]) == 2
    assert "pip install 'keras_fm[tune]'" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_trials_are_runs_and_the_best_recipe_is_written(report):
    values = [trial.value for trial in report.trials]
    assert report.metric == "rmse_log"
    assert values == sorted(values)
    assert {trial.state for trial in report.trials} == {"complete"}
    for trial in report.trials:
        assert trial.path.name == f"{trial.number:04}"
        assert run_files.read_result(trial.path)["metrics"]["rmse_log"] == trial.value
    assert report.best.path == report.trials[0].path
    changes = tomllib.loads(report.recipe.read_text())
    recipe = tomllib.loads((report.best.path / "recipe.toml").read_text())
    assert changes["learning_rate"] == report.best.values["learning_rate"]
    assert changes.items() <= recipe.items()


@pytest.mark.thorough
def test_the_printed_command_trains_as_the_best_trial(report, tmp_path, capsys):
    program, *arguments = report.command
    assert program == "keras-fm"
    assert cli.main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    metrics = run_files.read_result(tmp_path / "run")["metrics"]
    assert metrics["rmse_log"] == report.best.value


def test_the_first_trial_has_the_values_of_the_recipe(report):
    [first] = [trial for trial in report.trials if trial.number == 0]
    assert first.values == {"learning_rate": 0.02}


def test_the_report_names_ranks_values_and_commands(report):
    header, first, *_ = report.rows()
    assert header == ("rank", "trial", "rmse_log", "learning_rate", "minutes")
    assert first[:2] == ("1", f"{report.best.number:04}")
    text = str(report)
    assert "linear_regression: 3 trials (3 complete), the lowest rmse_log first" in text
    assert report.command[:5] == ("keras-fm", "train", "linear_regression", "--data", "sample")
    assert report.command[-2:] == ("--recipe", str(report.recipe))
    assert f"keras-fm tensorboard {report.path}" in text
    assert "<table>" in report._repr_html_()
    assert json.loads(json.dumps(report.to_dict()))["best"] == report.best.number


def test_tensorboard_shows_each_trial(report):
    from keras_fm.cli.tensorboard import find_logs

    logs = find_logs([str(report.path)])
    assert {"0000", "0001", "0002"} <= logs.keys()


def test_a_study_goes_on_until_there_are_enough(report):
    before = {trial.number: trial.value for trial in report.trials}
    again = tune(report.path, trials=3)  # trains nothing
    assert {trial.number: trial.value for trial in again.trials} == before
    more = tune(report.path, trials=4)
    assert {trial.number for trial in more.trials} == {0, 1, 2, 3}
    assert len({trial.values["learning_rate"] for trial in more.trials}) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("space", {"learning_rate": {"low": 0.01, "high": 0.1}}),
        ("seed", 5),
        ("metric", "mae"),
        ("validation_examples", 40),
    ],
)
def test_a_study_is_of_one_search(report, name, value):
    with pytest.raises(RunError, match=rf"began with .*{name}.*name another directory"):
        tune(report.path, **{name: value})


def test_ctrl_c_keeps_what_is_done(tmp_path, stop_at):
    stop_at(0)
    with pytest.raises(
        KeyboardInterrupt, match=r"0 of 1 trials are done.*0000 was cut short.*same"
    ):
        tune(tmp_path / "study", trials=1)
    stop_at(None)
    report = tune(tmp_path / "study", trials=1)
    complete, cut_short = report.trials
    assert (complete.number, complete.state) == (1, "complete")
    assert (cut_short.number, cut_short.state) == (0, "cut short")
    assert complete.values == cut_short.values  # are tried again
    assert run_files.is_run(cut_short.path)
    assert not run_files.is_complete(cut_short.path)
    assert "2 trials (1 complete, 1 cut short)" in report.summary()


@pytest.mark.thorough
def test_a_trial_whose_process_was_killed_is_replaced(tmp_path, capsys):
    pytest.importorskip("optuna")
    directory = tmp_path / "study"
    tune(directory, trials=1)
    code = """
import os, sys, keras, keras_fm
class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        os._exit(9)
from keras_fm.training import monitoring
callbacks = monitoring.callbacks
monitoring.callbacks = lambda *args: [*callbacks(*args), Kill()]
keras_fm.tune("linear_regression", directory=sys.argv[1], trials=2, space=eval(sys.argv[2]),
              **eval(sys.argv[3]))
"""
    process = helpers.python(code, directory, SPACE, SMALL, PYTHONPATH=":".join(sys.path))
    assert process.returncode == 9, process.stderr
    report = tune(directory, trials=2, verbose="auto")
    assert "trial 1 was cut short, for its process ended" in capsys.readouterr().out
    states = {trial.number: trial.state for trial in report.trials}
    assert states == {0: "complete", 1: "cut short", 2: "complete"}


@pytest.mark.thorough
def test_two_processes_share_a_study(tmp_path):
    pytest.importorskip("optuna")
    command = [sys.executable, "-m", "keras_fm", "tune", "linear_regression", "--data", "sample"]
    command += ["--directory", str(tmp_path / "study"), "--trials", "4", "--set", "epochs=1"]
    environment = {**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))}
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    trained = [output.count("\ntrial") + output.startswith("trial") for output in outputs]
    assert min(trained) > 0
    report = keras_fm.tune(
        "linear_regression", data="sample", directory=tmp_path / "study", trials=4, epochs=1
    )
    assert len(report.trials) == 4
    assert {trial.state for trial in report.trials} <= {"complete", "pruned"}
    assert len({json.dumps(trial.values) for trial in report.trials}) == 4


def test_pruned_trials_are_told(tmp_path, monkeypatch, capsys):
    optuna = pytest.importorskip("optuna")
    always = optuna.pruners.ThresholdPruner(upper=-1.0)  # each loss is above it
    monkeypatch.setattr(optuna.pruners, "MedianPruner", lambda *args: always)
    report = tune(tmp_path / "study", trials=1, epochs=2, verbose="auto")
    [trial] = report.trials
    assert trial.state == "pruned"
    assert trial.problem.startswith("pruned after epoch 1 of 2: its val_loss, ")
    assert trial.problem in capsys.readouterr().out
    assert run_files.is_complete(trial.path)  # so that TensorBoard shows it
    assert len(run_files.read_history(trial.path / "history.csv")) == 1
    assert report.best is None
    assert report.recipe is None
    assert "1 trial (1 pruned)" in str(report)
    assert tune(tmp_path / "other", trials=1, pruning=False).best is not None


def test_what_is_compared_is_the_same_for_all_trials():
    assert monitored_value(["learning_rate", "epochs"], "accuracy") == "val_loss"
    assert monitored_value(["learning_rate", "label_smoothing"], "accuracy") == "val_accuracy"


class _Trial:
    def __init__(self):
        self.reported = []

    def report(self, value, step):
        self.reported.append((value, step))

    def should_prune(self):
        return False


def test_losses_are_reported_by_the_part_of_the_training(tmp_path):
    trial = _Trial()
    callback = Pruning(trial, "val_loss", -1, tmp_path)
    callback.set_params({"epochs": 4})
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_loss": 2.0})
    callback.on_epoch_end(1, {"loss": 2.0})
    assert trial.reported == [(-2.0, 25)]
    run_files.write_json(tmp_path / "run.json", {})
    (tmp_path / "head").mkdir()
    run_files.write_json(tmp_path / "head" / "run.json", {})
    callback.on_train_begin()  # the first stage: its losses are others
    callback.on_epoch_end(2, {"val_loss": 1.0})
    assert trial.reported == [(-2.0, 25)]


def test_the_metric_is_known_before_a_trial():
    def metric(name, **options):
        training = TrialTraining(name, options.pop("data", "sample"), None, options, 0)
        return resolve_metric(training.job(), None)

    table = {"a": np.arange(60) % 13 / 3, "price": np.arange(60) % 7 - 2.5}
    names = ["linear_regression", "cifar_cnn_basic", "gan", "char_lstm"]
    assert [metric(name) for name in names] == [
        "rmse_log",
        "accuracy",
        "evaluator_accuracy",  # what is trained on generated images needs more than the sample
        "bits_per_character",
    ]
    assert metric("mlp", data=pd.DataFrame(table), target="price") == "rmse"


def fake_run(outcomes):
    """Return what takes the place of a trial's training: it has the next metric, or raises it."""
    remaining = iter(outcomes)

    def run(training, values, run_dir, **options):
        outcome = next(remaining)
        run_dir.mkdir()
        (run_dir / "recipe.toml").write_text(f"learning_rate = {values['learning_rate']}\n")
        if isinstance(outcome, Exception):
            raise outcome
        return SimpleNamespace(metrics={"rmse_log": outcome, "r2": outcome}, minutes=0.1)

    return run


def test_trials_that_diverge_or_need_too_much_memory_fail_and_count(tmp_path, monkeypatch):
    import tensorflow as tf

    too_large = tf.errors.ResourceExhaustedError(None, None, "no more memory\nat all")
    monkeypatch.setattr(TrialTraining, "run", fake_run([float("nan"), 0.3, too_large, 0.2]))
    report = tune(tmp_path, trials=4)
    assert [(trial.number, trial.state) for trial in report.trials] == [
        (3, "complete"),
        (1, "complete"),
        (0, "failed"),
        (2, "failed"),
    ]
    assert report.notes() == [
        "trial 0000 failed: its rmse_log is nan: the training diverged",
        "trial 0002 failed: out of memory: no more memory",
    ]
    changes = {"epochs": 1, "validation_examples": 51, **report.best.values}
    assert tomllib.loads(report.recipe.read_text()) == changes


def test_the_greatest_is_the_best_where_greater_is_better(tmp_path, monkeypatch):
    monkeypatch.setattr(TrialTraining, "run", fake_run([0.1, 0.90004, 0.90001]))
    report = tune(tmp_path, trials=3, metric="r2")
    assert [trial.number for trial in report.trials] == [1, 2, 0]
    assert "the highest r2 first" in report.summary()
    assert [row[2] for row in report.rows()] == ["r2", "0.90004", "0.90001", "0.1"]


@pytest.mark.parametrize(
    ("metric", "is_greater"),
    [("accuracy", True), ("auc", True), ("r2", True), ("rmse", False), ("cross_entropy", False)],
)
def test_which_value_is_better_depends_on_the_metric(metric, is_greater):
    assert is_greater_better(metric) == is_greater


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metric": "accuracy"}, UnknownNameError, "no metric 'accuracy' .*rmse_log"),
        ({"validation_examples": 0}, DataError, "expected validation examples to compare trials"),
    ],
)
def test_a_metric_needs_validation_examples_that_have_it(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        tune(tmp_path / "study", **options)


def test_runs_without_their_study_are_not_mixed_with_another(tmp_path):
    (tmp_path / "trials" / "0000").mkdir(parents=True)
    with pytest.raises(RunError, match=r"has runs of trials and no study\.log"):
        tune(tmp_path)


def test_a_trial_that_fails_is_marked_and_counts_for_nothing(tmp_path, monkeypatch):
    def broken(*args):
        raise ValueError("a broken callback")

    monkeypatch.setattr(monitoring, "callbacks", broken)
    with pytest.raises(ValueError, match="a broken callback"):
        tune(tmp_path / "study", trials=1)
    monkeypatch.undo()
    report = tune(tmp_path / "study", trials=1)
    assert [trial.state for trial in report.trials] == ["complete", "failed"]
    assert "trial 0000 failed: a broken callback" in str(report)


@pytest.mark.thorough
def test_a_table_of_another_task_has_its_space(tmp_path):
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, 120))
    kinds = np.where(a + noise > 0, "high", "low")
    table = pd.DataFrame({"a": a, "b": b, "kind": kinds})
    report = tune(
        tmp_path / "study",
        "mlp",
        data=table,
        target="kind",
        space=None,
        trials=1,
        validation_examples=24,
    )
    assert report.metric == "accuracy"
    assert report.greater_is_better
    assert "label_smoothing" in report.best.values


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", ["head", "head_then_full"])
def test_a_strategy_fine_tunes(tmp_path, strategy):
    table = tmp_path / "stones.csv"
    from keras_fm import data

    sample = data.sample("diamonds")
    columns = {name: sample.inputs[name] for name in sample.inputs}
    lines = [",".join([*columns, "price"])]
    for index in range(100):
        lines.append(",".join(str(c[index]) for c in [*columns.values(), sample.targets]))
    table.write_text("\n".join(lines))
    options = {**SMALL, "data": table, "target": "price", "strategy": strategy}
    options.pop("validation_examples")
    report = tune(tmp_path / "study", **options, trials=2)
    assert report.command[:2] == ("keras-fm", "fine-tune")
    assert len({trial.values["learning_rate"] for trial in report.trials}) == 2
    assert {trial.state for trial in report.trials} <= {"complete", "pruned"}
