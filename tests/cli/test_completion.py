import os
import subprocess
import sys

import helpers
import pytest

from keras_fm import cli


def completions(line, folder):
    """Return what the shell is offered at the end of a line."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(helpers.ROOT), *filter(None, sys.path)]),
        "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(folder / "offered"),
    }  # fmt: skip
    code = "import sys; sys.argv = ['keras-fm']; from keras_fm import cli; cli.main()"
    subprocess.run(
        [sys.executable, "-c", code],
        env=environment, cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return {word.strip() for word in (folder / "offered").read_text().split("\n")}


@pytest.mark.parametrize(
    ("line", "offered", "other"),
    [
        ("keras-fm pre", "predict", "export"),
        ("keras-fm predict cif", "cifar_cnn_basic", "lstm"),
        ("keras-fm export ru", "runs/", "other/"),
        ("keras-fm export runs/m", "runs/mine/", "runs/"),
        ("keras-fm train cifar_cnn --set ep", "epochs=", "batch_size="),
        ("keras-fm verify --j", "--json", "--help"),
        ("keras-fm completion f", "fish", "bash"),
    ],
)
def test_a_shell_completes_commands_options_and_models(line, offered, other, tmp_path):
    pytest.importorskip("argcomplete")
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    words = completions(line, tmp_path)
    assert offered in words
    assert other not in words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_code_for_the_shell(shell, capsys):
    pytest.importorskip("argcomplete")
    assert cli.main(["completion", shell]) == 0
    assert "keras-fm" in capsys.readouterr().out


def test_without_argcomplete_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "pip install 'keras_fm[completion]'" in capsys.readouterr().err
    assert "_ARGCOMPLETE" not in os.environ
