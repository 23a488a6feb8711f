"""The README's Python runs, and its tables and those of the cards are up to date."""

import re
import shlex
from pathlib import Path

import pytest

from keras_fm import registry
from keras_fm.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.thorough
def test_the_python_runs(tmp_path, monkeypatch, capsys):
    if "cifar_cnn" not in registry.list_models(pretrained=True):
        pytest.skip("cifar_cnn has no weights yet")
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 1
    code = blocks("python")[0].replace("epochs=8", "epochs=1")
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert (tmp_path / "exports" / "flies" / "1" / "saved_model.pb").is_file()
    assert "cifar_cnn_basic" in capsys.readouterr().out


def test_the_python_has_about_twenty_lines():
    lines = [line for line in blocks("python")[0].splitlines() if line.strip()]
    assert 10 <= len(lines) <= 22


def test_every_command_line_is_parsed():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("keras-fm ")]
    assert len(commands) >= 5
    for page in ROOT.glob("zoo/*/README.md"):
        text = " ".join(page.read_text("utf-8").split())
        commands += re.findall(r"`(?:[A-Z_]+=\S+ )?(keras-fm [^`]+)`", text)
    assert len(commands) >= 40
    for command in commands:
        arguments = shlex.split(command, comments=True)[1:]
        options = app._parser(arguments).parse_args(arguments)
        assert callable(options.run), command


def test_the_tables_are_up_to_date(tools):
    for path, text in tools("write_cards").current_texts().items():
        assert path.read_text("utf-8") == text, f"{path}: run python tools/write_cards.py"


def test_every_link_to_a_file_is_valid():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("zoo/*/README.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), (page, link)
