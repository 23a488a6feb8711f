"""`keras-fm tensorboard`: which logs are shown, and by which names."""

import json
import shutil
import sys

import pytest

from keras_fm import cli
from keras_fm.cli import tensorboard
from keras_fm.errors import InvalidInputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with runs: `mine`, which has two stages and a comparison, and `other`."""
    monkeypatch.chdir(tmp_path)
    runs = ("mine", "mine/head", "other", "empty")
    for name in runs:
        path = tmp_path / "runs" / name
        path.mkdir(parents=True)
        (path / "run.json").write_text(json.dumps({}))
    for name in (*runs[:3], "mine/comparisons/baseline"):
        logs = tmp_path / "runs" / name / "logs" / "train"
        logs.mkdir(parents=True)
        (logs / "events.out.tfevents.1").touch()
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["runs"], ["mine-baseline", "mine-head", "mine", "other"]),
        (["runs/mine"], ["mine-baseline", "mine-head", "mine"]),
        (["runs/mine/head"], ["mine-head"]),
        (["runs/other", "runs/other/"], ["other"]),
        (["linear_regression", "cifar_cnn.v1"], ["linear_regression.v1", "cifar_cnn.v1"]),
        (["mini_bert"], ["mini_bert.mlm", "mini_bert.v1"]),
    ],
)
def test_logs_have_short_names(names, labels, folder):
    assert [*tensorboard.find_logs(names)] == labels


def test_runs_of_the_same_name_are_told_apart(folder, tmp_path):
    shutil.copytree(folder / "other", tmp_path / "more" / "other")
    logs = tensorboard.find_logs(["runs/other", "more/other"])
    assert [*logs] == ["other", "other-2"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_model", "unknown model 'no_such_model'"),
        ("no/such/run", "expected a model's name, a run directory, or a folder of runs"),
        ("runs/empty", "no TensorBoard logs: its training has written none yet"),
        (".cache", "no TensorBoard logs: expected a run, or a folder of runs"),
    ],
)
def test_a_name_without_logs_is_an_error(name, message, folder, tmp_path, capsys):
    (tmp_path / ".cache").mkdir()
    assert cli.main(["tensorboard", name]) == 2
    assert message in capsys.readouterr().err


def test_a_model_without_curves_is_an_error(tiny_net):
    with pytest.raises(InvalidInputError, match="tiny_net has no TensorBoard logs"):
        tensorboard.find_logs(["tiny_net"])


def test_without_tensorboard_there_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(tensorboard, "find_spec", lambda module: None)
    assert cli.main(["tensorboard", "linear_regression"]) == 2
    assert "TensorBoard is not installed" in capsys.readouterr().err


def test_tensorboard_is_started_on_the_logs_by_their_names(folder, monkeypatch, capsys):
    commands, shown = [], []

    class Process:
        def __init__(self, command):
            commands.append(command)
            link = command[command.index("--logdir") + 1]
            shown.extend(sorted(path.name for path in tensorboard.Path(link).iterdir()))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def terminate(self):
            return None

        def wait(self):
            if len(commands) == 1:
                commands.append("interrupted")
                raise KeyboardInterrupt
            return 0

    monkeypatch.setattr(tensorboard.subprocess, "Popen", Process)
    assert cli.main(["tensorboard", "runs", "--port", "6123"]) == 0
    assert commands[0][:3] == [sys.executable, "-m", "tensorboard.main"]
    assert commands[0][-4:] == ["--port", "6123", "--host", "localhost"]
    assert shown == ["mine", "mine-baseline", "mine-head", "other"]
    captured = capsys.readouterr()
    assert captured.out == "runs: mine-baseline, mine-head, mine, other\n"
    assert not captured.err


def test_without_links_the_folders_are_named(tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise OSError("a required privilege is not held")

    monkeypatch.setattr(tensorboard.Path, "symlink_to", refuse)
    arguments = tensorboard.link_logs({"mine": tmp_path / "logs"}, tmp_path)
    assert arguments == ["--logdir_spec", f"mine:{tmp_path / 'logs'}"]


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["tensorboard", "--help"])
    assert "keras-fm tensorboard cifar_cnn runs/mine --port 6007" in capsys.readouterr().out
