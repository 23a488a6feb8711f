import hashlib
import sys
from pathlib import Path

import helpers
import pytest

from keras_fm import cli, registry
from keras_fm.store import cache, inventory

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import serving

BODY = b"weights " * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where downloads go."""
    for name in ("KERAS_FM_WEIGHTS_URL", "KERAS_FM_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


@pytest.fixture
def room(tiny_net):
    """A room whose weights don't ship."""
    helpers.write_record(tiny_net, bytes=len(BODY), sha256=SHA256)
    return tiny_net


@pytest.fixture
def run(capsys):
    """Runs `keras-fm cache ...`: the exit code and what it printed."""

    def run(*arguments):
        code = cli.main(["cache", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def keep(content, sha256=SHA256):
    """Puts a file into the cache."""
    path = cache.file_path(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_list_says_where_each_one_is(room, run):
    assert "not here" in run("list", "tiny_net")[1]
    keep(BODY)
    assert "cache" in run("list", "tiny_net")[1].splitlines()[1]
    (room / "weights").mkdir()
    (room / "weights" / "first.weights.h5").write_bytes(BODY)
    code, said = run("list", "tiny_net.first")
    assert code == 0
    assert said.splitlines()[1].split() == ["tiny_net.first", "8,000", "package", SHA256[:12]]
    assert said.splitlines()[2].split() == ["tiny_net.first", "8,000", "cache", SHA256[:12]]


def test_list_knows_every_model_and_what_belongs_to_none(room, run):
    keep(b"1", "0" * 64)
    code, said = run("list")
    assert code == 0
    names = [
        f"{name}.{tag}" for name in registry.list_models() for tag in registry.info(name).weights
    ]
    assert len(names) > 5
    assert all(name in said for name in names)
    assert "of no model here" in said
    assert f"the cache: {cache.folder()}" in said


def test_verify_names_what_is_damaged(room, run):
    keep(BODY)
    assert run("verify", "tiny_net")[0] == 0
    path = keep(BODY[:-1])
    code, said = run("verify", "tiny_net")
    assert code == 1
    assert f"DAMAGED  {path}" in said
    assert run("verify", "linear_regression")[0] == 0
    keep(b"1", "0" * 64)
    assert run("verify")[1].count("DAMAGED") == 2


def test_prefetch_downloads_and_repairs(room, run, monkeypatch):
    path = keep(BODY[:-1])
    with serving(BODY) as server:
        monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", server.url)
        assert run("prefetch", "tiny_net") == (0, f"tiny_net.first  {path}\n")
        assert run("prefetch", "tiny_net.first")[0] == 0
    assert path.read_bytes() == BODY
    assert server.requests == 1


def test_prefetch_offline_says_so(room, run, monkeypatch):
    monkeypatch.setenv("KERAS_FM_OFFLINE", "1")
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", "http://127.0.0.1:1")
    code, said = run("prefetch", "tiny_net")
    assert code == 2
    assert "KERAS_FM_OFFLINE forbids" in said


def test_clear_deletes_what_it_is_told(room, run):
    mine, other = keep(BODY), keep(b"1", "0" * 64)
    assert f"deleted {mine}\n1 files" in run("clear", "tiny_net")[1]
    assert other.exists()
    assert f"deleted {other}\n1 files" in run("clear")[1]
    assert run("clear")[1].startswith("0 files")


def test_clear_leaves_the_package_alone(room, run):
    (room / "weights").mkdir()
    shipped = room / "weights" / "first.weights.h5"
    shipped.write_bytes(BODY)
    run("clear")
    assert shipped.exists()


@pytest.mark.parametrize("action", ["list", "verify", "clear", "prefetch"])
@pytest.mark.parametrize("name", ["tiny_nt", "../tiny_net", "tiny_net.frist", "tiny_net/first"])
def test_an_unknown_name_deletes_nothing(room, run, action, name):
    path = keep(BODY)
    code, said = run(action, name)
    assert code == 2
    assert said.startswith("keras-fm: ")
    assert path.exists()


def test_what_can_not_be_read_is_not_whole(room):
    item = inventory.list_weights(["tiny_net"])[0]
    assert not item.whole
    keep(BODY).unlink()
    cache.file_path(SHA256).mkdir()
    assert not inventory.list_weights(["tiny_net"])[0].whole
