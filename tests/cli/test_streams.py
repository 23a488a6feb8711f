import io
import shlex
import subprocess
import sys

import helpers
import pytest

import keras_fm
from keras_fm import cli
from keras_fm.cli.printing import format_command


def run_in_shell(arguments, redirection):
    command = shlex.join([sys.executable, "-m", "keras_fm", *map(str, arguments)])
    return subprocess.run(
        ["bash", "-c", f"{command} {redirection}"],
        cwd=helpers.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "encoding",
    ["ascii", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("cp1252", "latin-1"))],
)
def test_characters_that_a_stream_lacks_are_escaped(encoding, monkeypatch):
    output, errors = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(errors, encoding))
    prompt = "é 猫: собака"
    assert cli.main(["predict", "char_lstm", prompt, "--length", "0"]) == 0
    assert cli.main(["predict", "gan", "猫"]) == 2
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    assert output.getvalue().decode(encoding).rstrip() == prompt.encode(
        encoding, "backslashreplace"
    ).decode(encoding)
    assert b"gan has no label '\\u732b'" in errors.getvalue()


@pytest.mark.thorough
def test_a_utf8_stream_shows_every_character(capsys):
    assert cli.main(["predict", "char_lstm", "猫", "--length", "0"]) == 0
    assert capsys.readouterr().out == "猫\n"


@pytest.mark.parametrize("redirection", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(redirection):
    process = run_in_shell(["list"], redirection)
    assert (process.returncode, process.stderr) == (0, "")
    assert ("cifar_cnn" in process.stdout) == (">&-" not in redirection.replace("2>&-", ""))


@pytest.mark.thorough
def test_keras_is_imported_without_stderr():
    process = run_in_shell(["predict", "char_lstm", "ROMEO:", "--length", "0"], "2>&-")
    assert (process.returncode, process.stdout) == (0, "ROMEO:\n")


def test_a_backend_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    process = run_in_shell(["predict", "char_lstm", "ROMEO:"], "")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith("keras-fm: Keras can't be imported with its")
    assert "Traceback" not in process.stderr


def test_a_training_without_stdout_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    run = keras_fm.train("linear_regression", data="sample", epochs=1, run_dir=tmp_path / "run")
    assert run.metrics


def test_a_command_is_quoted_as_for_a_shell():
    assert format_command("keras-fm", "predict", "a b") == "keras-fm predict 'a b'"


@pytest.mark.thorough
def test_printed_commands_are_those_that_a_shell_reads(tmp_path, capsys):
    path = tmp_path / "my run; rm it"
    sample = ["--data", "sample", "--set", "epochs=1"]
    assert cli.main(["train", "linear_regression", *sample, "--run-dir", str(path)]) == 0
    commands = capsys.readouterr().out.strip().splitlines()[-3:]
    assert [shlex.split(command)[:3] for command in commands] == [
        ["tensorboard", "--logdir", f"{path}/logs"],
        ["keras-fm", "evaluate", str(path)],
        ["keras-fm", "export", str(path)],
    ]
    assert cli.main(["export", str(path), str(tmp_path / "my export"), "--no-warmup"]) == 0
    command = capsys.readouterr().out.strip().splitlines()[-2]
    assert shlex.split(command)[3] == str(tmp_path / "my export" / "1")
