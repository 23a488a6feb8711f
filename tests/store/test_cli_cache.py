"""`keras-fm cache`."""

import sys
from pathlib import Path

import pytest
from dummy_weights import BODY, SHA256

from keras_fm import cli, registry
from keras_fm.store import cache, inventory

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import serving

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run(capsys):
    """`run("list")`: runs `keras-fm cache list`; returns the exit code and the output."""

    def run(*arguments):
        code = cli.main(["cache", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def write_cached(content, sha256=SHA256):
    """Put a file into the cache."""
    path = cache.file_path(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_list_says_where_each_file_is(package, run):
    assert "not here" in run("list", "tiny_net")[1]
    write_cached(BODY)
    assert "cache" in run("list", "tiny_net")[1].splitlines()[1]
    (package / "weights").mkdir()
    (package / "weights" / "first.weights.h5").write_bytes(BODY)
    code, output = run("list", "tiny_net.first")
    assert code == 0
    assert output.splitlines()[1].split() == ["tiny_net.first", "8,000", "package", SHA256[:12]]
    assert output.splitlines()[2].split() == ["tiny_net.first", "8,000", "cache", SHA256[:12]]


def test_list_has_every_model_and_orphaned_files(package, run):
    write_cached(b"1", "0" * 64)
    code, output = run("list")
    assert code == 0
    names = [
        f"{name}.{tag}" for name in registry.list_models() for tag in registry.info(name).weights
    ]
    assert len(names) > 5
    assert all(name in output for name in names)
    assert "(no installed model)" in output
    assert f"cache directory: {cache.folder()}" in output


def test_verify_names_damaged_files(package, run):
    write_cached(BODY)
    assert run("verify", "tiny_net")[0] == 0
    path = write_cached(BODY[:-1])
    code, output = run("verify", "tiny_net")
    assert code == 1
    assert f"DAMAGED  {path}" in output
    assert run("verify", "linear_regression")[0] == 0
    write_cached(b"1", "0" * 64)
    assert run("verify")[1].count("DAMAGED") == 2


def test_prefetch_downloads_and_repairs(package, run, monkeypatch):
    path = write_cached(BODY[:-1])
    with serving(BODY) as server:
        monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", server.url)
        assert run("prefetch", "tiny_net") == (0, f"tiny_net.first  {path}\n")
        assert run("prefetch", "tiny_net.first")[0] == 0
    assert path.read_bytes() == BODY
    assert server.requests == 1


def test_prefetch_offline_says_so(package, run, monkeypatch):
    monkeypatch.setenv("KERAS_FM_OFFLINE", "1")
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", "http://127.0.0.1:1")
    code, output = run("prefetch", "tiny_net")
    assert code == 2
    assert "KERAS_FM_OFFLINE forbids" in output


def test_clear_deletes_the_named_files(package, run):
    named, other = write_cached(BODY), write_cached(b"1", "0" * 64)
    assert f"deleted {named}\n1 file deleted" in run("clear", "tiny_net")[1]
    assert other.exists()
    assert f"deleted {other}\n1 file deleted" in run("clear")[1]
    assert run("clear")[1].startswith("0 files")


def test_clear_leaves_the_package_alone(package, run):
    (package / "weights").mkdir()
    packaged = package / "weights" / "first.weights.h5"
    packaged.write_bytes(BODY)
    run("clear")
    assert packaged.exists()


@pytest.mark.parametrize("action", ["list", "verify", "clear", "prefetch"])
@pytest.mark.parametrize("name", ["tiny_nt", "../tiny_net", "tiny_net.frist", "tiny_net/first"])
def test_an_unknown_name_deletes_nothing(package, run, action, name):
    path = write_cached(BODY)
    code, output = run(action, name)
    assert code == 2
    assert output.startswith("keras-fm: ")
    assert path.exists()


def test_a_file_that_can_not_be_read_is_not_valid(package):
    item = inventory.list_weights(["tiny_net"])[0]
    assert not item.is_valid
    write_cached(BODY).unlink()
    cache.file_path(SHA256).mkdir()
    assert not inventory.list_weights(["tiny_net"])[0].is_valid
