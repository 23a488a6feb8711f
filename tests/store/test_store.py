"""The weights store: resolving names, downloads, the cache, and offline use."""

import socket
import sys
from pathlib import Path

import helpers
import pytest
from dummy_weights import BODY, SHA256, remote_file

from keras_fm import registry, store
from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError, KerasFmError, WeightsError
from keras_fm.store import cache, downloads

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import Fault, serving

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def no_sockets(monkeypatch):
    """Make it an error to open a socket, or to resolve a name."""

    def forbidden(*arguments, **options):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)


@pytest.fixture
def folder(tmp_path):
    """The URL of a mirror's folder with the file in it."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / f"{SHA256}.weights.h5").write_bytes(BODY)
    return (tmp_path / "mirror").as_uri()


@pytest.fixture
def package(package):
    """The same, as the registry has it."""
    return registry.find("tiny_net")[0]


def test_a_download_lies_in_the_cache_under_its_hash(home):
    with serving(BODY) as server:
        path = downloads.fetch(remote_file(f"{server.url}/a"))
    assert path == home / f"{SHA256}.weights.h5"
    assert path.read_bytes() == BODY
    assert {file.name for file in home.iterdir()} == {path.name, f".{path.name}.lock"}


def test_others_may_read_a_download():
    with serving(BODY) as server:
        path = downloads.fetch(remote_file(f"{server.url}/a"))
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_cached_file_is_not_downloaded_again(home, no_sockets):
    home.mkdir(parents=True)
    cache.file_path(SHA256).write_bytes(BODY)
    assert downloads.fetch(remote_file("http://127.0.0.1:1/a")) == cache.file_path(SHA256)


def test_a_cache_that_can_not_be_written_can_be_read(home, monkeypatch):
    home.mkdir(parents=True)
    cache.file_path(SHA256).write_bytes(BODY)
    monkeypatch.setattr(downloads, "_exclusive", None)
    assert downloads.fetch(remote_file()).read_bytes() == BODY


def test_mirrors_are_tried_in_turn(caplog):
    with serving(BODY, Fault("status", how=(404, None))) as gone, serving(BODY) as well:
        downloads.fetch(remote_file(f"{gone.url}/a", f"{well.url}/b"))
    assert (gone.requests, well.requests) == (1, 1)


def test_the_error_names_every_mirror_and_its_reason():
    with (
        serving(BODY, Fault("status", how=(404, None))) as gone,
        serving(b"other") as wrong,
        pytest.raises(WeightsError) as caught,
    ):
        downloads.fetch(remote_file(f"{gone.url}/a", f"{wrong.url}/b"))
    sentence = str(caught.value)
    assert f"{gone.url}/a: returns 404" in sentence
    assert f"{wrong.url}/b: sends 5 bytes with sha256 d9298a10d1b0" in sentence
    assert "after 4 tries" in sentence
    assert "\n" not in sentence
    assert (gone.requests, wrong.requests) == (1, 4)


def test_the_mirror_of_the_environment_is_tried_first(monkeypatch, package):
    with serving(BODY) as mirror, serving(BODY) as other:
        monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", mirror.url + "/")
        downloads.fetch(remote_file(f"{other.url}/a"))
        assert (mirror.requests, other.requests) == (1, 0)
        assert downloads.mirror_urls(remote_file())[0] == f"{mirror.url}/{SHA256}.weights.h5"


@pytest.mark.parametrize("url", ["example.org/weights", "ftp://example.org", "/tmp/weights"])
def test_the_mirror_of_the_environment_is_a_url(monkeypatch, url):
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", url)
    with pytest.raises(InvalidInputError, match=rf"https://, .*received '{url}'"):
        downloads.fetch(remote_file())


def test_a_folder_is_a_mirror(monkeypatch, folder, no_sockets, package):
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", folder)
    assert store.find_weights(package).path.read_bytes() == BODY


@pytest.mark.parametrize("path", ["/etc/hostname-not", "/dev/zero", "/", "//host/share/a"])
def test_a_folder_that_does_not_have_the_file_says_so(path):
    with pytest.raises(WeightsError, match=r"at the first try: .*: there is no such file"):
        downloads.fetch(remote_file(f"file://{path}"))


def test_a_record_names_its_mirrors(tiny_net):
    with serving(BODY) as server:
        urls = [f"{server.url}/a"]
        helpers.write_record(tiny_net, file_size=len(BODY), sha256=SHA256, urls=urls)
        file = store.find_weights(registry.find("tiny_net")[0])
    assert file == store.WeightsFile(cache.file_path(SHA256), SHA256)


def test_without_a_mirror_the_error_says_what_to_do(package):
    with pytest.raises(WeightsError, match="no mirror is known: set KERAS_FM_WEIGHTS_URL"):
        store.find_weights(package)


def test_a_damaged_file_in_the_package_is_an_error(package):
    (package.path / "weights").mkdir()
    (package.path / "weights/first.weights.h5").write_bytes(BODY[:-1])
    with pytest.raises(WeightsError, match=r"first\.weights\.h5 has sha256 .*cut or altered"):
        store.find_weights(package)


def test_a_damaged_file_in_the_package_is_replaced_by_a_mirrors(
    package, folder, monkeypatch, caplog
):
    (package.path / "weights").mkdir()
    (package.path / "weights/first.weights.h5").write_bytes(BODY[:-1])
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", folder)
    assert store.find_weights(package).path == cache.file_path(SHA256)
    assert "first.weights.h5 was cut or altered" in caplog.text


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_opens_no_socket(value, monkeypatch, package, home, no_sockets):
    monkeypatch.setenv("KERAS_FM_OFFLINE", value)
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", "http://127.0.0.1:1")
    with pytest.raises(WeightsError, match="KERAS_FM_OFFLINE forbids"):
        store.find_weights(package)
    with pytest.raises(WeightsError, match="KERAS_FM_OFFLINE forbids"):
        store.resolve(package, f"hf://someone/weights/a#sha256={SHA256}", None)
    assert not home.exists()


def test_offline_uses_local_files(monkeypatch, package, folder, no_sockets):
    monkeypatch.setenv("KERAS_FM_OFFLINE", "1")
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", folder)
    assert store.find_weights(package).path.read_bytes() == BODY
    monkeypatch.delenv("KERAS_FM_WEIGHTS_URL")
    assert store.find_weights(package).path.read_bytes() == BODY  # now from the cache


def test_offline_no_data_set_is_downloaded(monkeypatch, tmp_path, no_sockets):
    datasets.builder.cache_clear()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_FM_OFFLINE", "1")
    with pytest.raises(DataError, match="KERAS_FM_OFFLINE forbids to download it"):
        datasets.prepared("mnist")
    datasets.builder.cache_clear()


FORBID = """
import sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"a socket was used: {event} {arguments}")
sys.addaudithook(forbid)
"""
JOB = """
import keras_fm
from keras_fm import data
model = keras_fm.get("linear_regression")
print(keras_fm.evaluate(model, data=data.sample("diamonds"))["num_examples"])
"""
DOWNLOAD = f"""
from keras_fm import errors, registry, store
try:
    store.resolve(registry.find("mlp")[0], "https://example.org/a#sha256={SHA256}", None)
except errors.KerasFmError as error:
    print(error)
"""


@pytest.mark.thorough
def test_offline_a_whole_job_uses_no_socket():
    """Python itself says when one is used, whoever asks for it."""
    ran = helpers.python(FORBID + JOB + DOWNLOAD, KERAS_FM_OFFLINE="1")
    assert ran.returncode == 0, ran.stderr
    assert "KERAS_FM_OFFLINE forbids" in ran.stdout
    assert "a socket was used" in helpers.python(FORBID + DOWNLOAD).stderr


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_offline_can_be_switched_off(value, monkeypatch):
    monkeypatch.setenv("KERAS_FM_OFFLINE", value)
    assert not downloads.is_offline()


def test_a_cache_that_can_not_be_written_is_named(monkeypatch, tmp_path, folder):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", folder)
    with pytest.raises(WeightsError, match=r"can't be stored in .*file/weights .*KERAS_FM_HOME"):
        downloads.fetch(remote_file())


def test_the_home_may_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_FM_HOME", "~/cache")
    assert cache.folder() == tmp_path / "cache" / "weights"


@pytest.mark.parametrize("url", ["s3://bucket/a", "ftp://host/a", "x://y"])
def test_another_kind_of_address_is_an_error(package, url):
    with pytest.raises(WeightsError, match="its kind is none of https, http, file, hf"):
        store.resolve(package, f"{url}#sha256={SHA256}", None)


@pytest.mark.parametrize(
    "url",
    ["http://", "http://[", "http://a b/", "https://\udcff/", "http://x:99999999/", "hf://\0/b/c"],
)
def test_an_address_that_is_none_is_an_error(package, url):
    with pytest.raises(KerasFmError):
        store.resolve(package, f"{url}#sha256={SHA256}", None)


def test_the_cache_can_be_listed_verified_and_cleared(home):
    home.mkdir(parents=True)
    assert (cache.files(), cache.damaged(), cache.clear()) == ({}, [], [])
    valid, damaged = cache.file_path(SHA256), cache.file_path("0" * 64)
    valid.write_bytes(BODY)
    damaged.write_bytes(BODY)
    partial = cache.partial_path(damaged)
    partial.touch()
    (home / "notes.txt").touch()
    assert cache.files() == {"0" * 64: damaged, SHA256: valid}
    assert cache.damaged() == [damaged]
    assert cache.clear([SHA256]) == [valid]
    assert cache.clear() == [damaged, partial]
    assert {path.name for path in home.iterdir()} >= {"notes.txt"}


def test_a_download_in_progress_is_not_cleared(home):
    home.mkdir(parents=True)
    cache.partial_path(cache.file_path(SHA256)).touch()
    with downloads._exclusive(cache.file_path(SHA256), "first"):
        assert cache.clear() == []


def test_there_may_be_no_cache_at_all():
    assert (cache.files(), cache.damaged(), cache.clear()) == ({}, [], [])


def test_the_store_imports_no_keras():
    code = "import sys; import keras_fm.store; sys.exit('keras' in sys.modules)"
    assert helpers.python(code).returncode == 0
