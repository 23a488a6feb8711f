"""Downloads: what servers may send, how long they may take, where they may lead."""

import contextlib
import sys
from pathlib import Path

import helpers
import pytest
from dummy_weights import BODY, SHA256, remote_file

from keras_fm.errors import WeightsError
from keras_fm.store import cache, downloads, transports
from keras_fm.store.downloads import RemoteFile

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import Fault, serving

pytestmark = pytest.mark.usefixtures("home")


def test_a_longer_body_is_refused_before_it_comes():
    with (
        serving(bytes(50_000_000)) as server,
        pytest.raises(WeightsError, match="sends 50,000,000 bytes, expected 8,000"),
    ):
        downloads.fetch(remote_file(f"{server.url}/a"))
    assert server.requests == 1


def test_no_more_is_read_than_expected(monkeypatch):
    yielded = []

    def endless(url, max_bytes):
        while True:
            yielded.append(1)
            yield bytes(1000)

    monkeypatch.setattr(downloads, "chunks", endless)
    with pytest.raises(WeightsError, match="sends more than 8,000 bytes"):
        downloads.fetch(remote_file("http://127.0.0.1/a"))
    assert len(yielded) == 9


def test_a_server_says_how_long_to_wait(monkeypatch):
    pauses = []
    monkeypatch.setattr(downloads.time, "sleep", pauses.append)
    with serving(BODY, Fault("status", times=2, how=(429, 7))) as server:
        downloads.fetch(remote_file(f"{server.url}/a"))
    assert pauses == [7, 7]


def test_pauses_double(monkeypatch):
    pauses = []
    monkeypatch.setattr(downloads, "BACKOFF_SECONDS", 10)
    monkeypatch.setattr(downloads.time, "sleep", pauses.append)
    with serving(BODY, Fault("cut", 5)) as server, pytest.raises(WeightsError):
        downloads.fetch(remote_file(f"{server.url}/a"))
    assert [round(pause / 10 / 2**turn) for turn, pause in enumerate(pauses)] == [1, 1, 1]


def test_a_server_that_asks_for_an_hour_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", None)
    with (
        serving(BODY, Fault("status", how=(503, 3600))) as server,
        pytest.raises(WeightsError, match="asks to wait 3,600 s"),
    ):
        downloads.fetch(remote_file(f"{server.url}/a"))
    assert server.requests == 1


def test_a_second_process_waits_and_says_so(caplog, monkeypatch, home):
    home.mkdir(parents=True)
    with downloads._exclusive(cache.file_path(SHA256), "first"):
        monkeypatch.setattr(downloads, "LOCK_TIMEOUT_SECONDS", 0.01)
        with pytest.raises(WeightsError, match="another process has been downloading tiny_net"):
            downloads.fetch(remote_file("http://127.0.0.1:1/a"))
    assert "another process downloads tiny_net.first; waiting for it" in caplog.text


def test_a_file_that_another_process_downloaded_is_not_downloaded_again(monkeypatch, home):
    @contextlib.contextmanager
    def wait(path, name):
        path.write_bytes(BODY)
        yield

    monkeypatch.setattr(downloads, "_exclusive", wait)
    with serving(BODY) as server:
        assert downloads.fetch(remote_file(f"{server.url}/a")).read_bytes() == BODY
    assert server.requests == 0


@pytest.mark.parametrize("status", [204, 206, 304, 404])
def test_another_status_is_no_file(status):
    with (
        serving(BODY, Fault("status", how=(status, None))) as server,
        pytest.raises(WeightsError, match=f"returns {status} Not now$"),
    ):
        downloads.fetch(remote_file(f"{server.url}/a"))
    assert server.requests == 1


def test_a_slow_server_is_left(monkeypatch):
    monkeypatch.setattr(downloads, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(downloads, "MIN_BYTES_PER_SECOND", 20_000)
    monkeypatch.setattr(downloads, "MAX_ATTEMPTS", 1)
    with (
        serving(BODY[:300], Fault("drip")) as server,
        pytest.raises(WeightsError, match="is slower than 20,000 bytes a second"),
    ):
        downloads.fetch(remote_file(f"{server.url}/a"))


def test_a_token_stays_with_its_server(monkeypatch):
    responses = []
    monkeypatch.setattr(transports, "_body", lambda response, _: responses.append(response) or [])
    with serving(BODY) as target:
        url = target.url.replace("127.0.0.1", "localhost")
        with serving(BODY, Fault("redirect", how=f"{url}/there")) as source:
            list(transports._http(f"{source.url}/a", 10, {"Authorization": "Bearer secret"}))
    assert responses[0].url == f"{url}/there"
    assert "Authorization" not in responses[0].request.headers


def test_a_download_asks_for_bytes_that_are_not_packed(monkeypatch):
    responses = []
    monkeypatch.setattr(transports, "_body", lambda response, _: responses.append(response) or [])
    with serving(BODY) as server:
        list(transports.chunks(f"{server.url}/a", 10))
    assert responses[0].request.headers["Accept-Encoding"] == "identity"


def test_redirects_are_followed_a_few_times():
    with serving(BODY, Fault("redirect", how="chain")) as server:
        assert downloads.fetch(remote_file(f"{server.url}/a")).read_bytes() == BODY
    assert server.requests == 4
    with (
        serving(BODY, Fault("redirect", how="loop")) as server,
        pytest.raises(WeightsError, match="redirects more than 10 times"),
    ):
        downloads.fetch(RemoteFile("other", "0" * 64, 3, (f"{server.url}/a",)))
    assert server.requests == 10


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a", "//", "http://["])
def test_a_redirect_leads_to_http_alone(target):
    with serving(BODY, Fault("redirect", how=target)) as server, pytest.raises(WeightsError):
        downloads.fetch(remote_file(f"{server.url}/a"))


def test_the_hub_is_asked_through_its_own_library(monkeypatch):
    pytest.importorskip("huggingface_hub")
    with serving(BODY) as server:
        code = f"""
from keras_fm.store import RemoteFile, fetch
print(fetch(RemoteFile("a", {SHA256!r}, {len(BODY)}, ("hf://someone/weights@v2/deep/a.h5",))))
"""
        ran = helpers.python(code, HF_ENDPOINT=server.url, HF_TOKEN="secret")
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).read_bytes() == BODY
    assert server.paths == ["/someone/weights/resolve/v2/deep/a.h5"]


def test_without_the_hubs_library_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match="needs the package huggingface_hub"):
        downloads.fetch(remote_file("hf://someone/weights/a.h5"))


@pytest.mark.parametrize("url", ["hf://someone", "hf://a/b", "hf:///b/c", "hf://a//c"])
def test_half_an_address_of_the_hub_is_an_error(url):
    pytest.importorskip("huggingface_hub")
    with pytest.raises(WeightsError, match="is not hf://owner/repository/path"):
        downloads.fetch(remote_file(url))
