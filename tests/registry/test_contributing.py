"""CONTRIBUTING.md's page on adding a model, followed word for word."""

import re
import textwrap
from pathlib import Path

import pytest

import keras_fm
import keras_fm.zoo
from keras_fm import cli
from keras_fm.registry import packages

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")


@pytest.fixture
def zoo_with_tiny_net(tmp_path, monkeypatch):
    room = tmp_path / "zoo" / "tiny_net"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text('"""Added by CONTRIBUTING.md."""\n', "utf-8")
    files = re.findall(r"^ *```\w+ file=(\S+)\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)
    for name, text in files:
        (room / name).write_text(textwrap.dedent(text), "utf-8")
    monkeypatch.setattr(keras_fm.zoo, "__path__", [*keras_fm.zoo.__path__, str(room.parent)])
    packages.cache_clear()
    yield {name for name, _ in files}
    packages.cache_clear()


def test_the_page_gives_every_file_of_a_room(zoo_with_tiny_net):
    assert zoo_with_tiny_net == {"model.py", "entry.toml", "recipe.toml", "README.md"}


def test_the_model_is_listed_trained_measured_and_exported(
    zoo_with_tiny_net, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert "tiny_net" in keras_fm.list_models()
    train = "train tiny_net --data sample --set validation_examples=56 --run-dir runs/tiny"
    assert cli.main(train.split()) == 0
    assert cli.main(["evaluate", "runs/tiny", "--split", "sample"]) == 0
    assert cli.main(["export", "runs/tiny", "exports/tiny"]) == 0
    assert (tmp_path / "exports/tiny/1/saved_model.pb").is_file()
    assert "accuracy" in capsys.readouterr().out
