"""The Python of the README and of `docs/` runs, and the tables and links are up to date."""

import re
import shlex
from pathlib import Path

import pytest

from keras_fm.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted(set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "index.md"})]
GUIDES = [ROOT / "docs" / "index.md", *sorted((ROOT / "docs").glob("guides/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


@pytest.mark.thorough
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for code in blocks(page, "python"):
        faster = code.replace("epochs=8", "epochs=1")
        exec(compile(faster, page.name, "exec"), {"__name__": "__main__"})
        assert (tmp_path / "exports" / "flies" / "1" / "saved_model.pb").is_file()
        assert "accuracy" in capsys.readouterr().out


def test_the_readme_is_one_screen_with_one_success():
    [code] = blocks(README, "python")
    assert 8 <= len([line for line in code.splitlines() if line.strip()]) <= 12
    assert len(README.read_text("utf-8").splitlines()) <= 70
    assert blocks(README, "sh")[0].startswith("make demo")


def test_every_page_is_linked_from_the_readme():
    for page in PAGES[1:]:
        assert f"](docs/{page.name})" in README.read_text("utf-8"), page.name


def test_every_command_line_is_parsed():
    lines = [
        line
        for page in PAGES + GUIDES
        for block in blocks(page, "sh")
        for line in block.splitlines()
    ]
    commands = [line for line in lines if line.startswith("keras-fm ")]
    assert len(commands) >= 15
    for page in ROOT.glob("zoo/*/README.md"):
        text = " ".join(page.read_text("utf-8").split())
        commands += re.findall(r"`(?:[A-Z_]+=\S+ )?(keras-fm [^`]+)`", text)
    assert len(commands) >= 40
    for command in commands:
        arguments = shlex.split(command, comments=True)[1:]
        options = app._parser(arguments, "keras-fm").parse_args(arguments)
        assert callable(options.run), command


def test_the_cards_their_curves_and_the_table_are_up_to_date(tools):
    cards = tools("write_cards")
    texts = cards.current_texts()
    assert {path.name for path in texts} >= {"README.md", "curves.v1.svg"}
    for path, text in texts.items():
        assert cards.is_current(path, text), f"{path}: run python tools/write_cards.py"


def test_every_link_to_a_file_is_valid():
    for page in [*PAGES, *GUIDES, ROOT / "CONTRIBUTING.md", *ROOT.glob("zoo/*/README.md")]:
        text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.S | re.M)
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            is_page = "generated/" in link  # tests/test_docs.py
            known = link.startswith("https://") or is_page or (page.parent / link).exists()
            assert known, (page, link)
