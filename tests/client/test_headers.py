"""Headers, and the user and password of an address."""

import base64

import pytest

import keras_fm
from keras_fm import cli
from keras_fm.errors import InvalidInputError, KerasFmError, ServerError
from keras_fm.exporting import checks
from keras_fm.store import downloads


def with_credentials(url, credentials="me:se%20cret"):
    return url.replace("://", f"://{credentials}@")


def test_headers_are_sent_with_every_request(server, protocol, diamonds):
    headers = {"Authorization": "Bearer abc", "X-Team": "7"}
    client = keras_fm.Client(getattr(server, protocol), "linear_regression", headers=headers)
    assert len(client(diamonds[:1])) == 1
    assert len(server.headers) == 2
    for received in server.headers:
        assert (received["authorization"], received["x-team"]) == ("Bearer abc", "7")


def test_user_and_password_of_an_address_are_sent_in_a_header(server, protocol, diamonds):
    url = with_credentials(getattr(server, protocol))
    client = keras_fm.Client(url, "linear_regression")
    assert len(client(diamonds[:1])) == 1
    expected = "Basic " + base64.b64encode(b"me:se cret").decode()
    assert {received["authorization"] for received in server.headers} == {expected}
    assert repr(client) == repr(keras_fm.Client(getattr(server, protocol), "linear_regression"))


@pytest.mark.parametrize("scheme", ["http", "https", "grpc"])
def test_no_error_repeats_a_password(scheme, nowhere):
    url = with_credentials(f"{scheme}://{nowhere}")
    with pytest.raises(ServerError, match=nowhere) as caught:
        keras_fm.Client(url, "linear_regression", timeout=3)("x")
    assert "se%20cret" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: keras_fm.Client("ftp://me:se%20cret@host", "x"),
        lambda: keras_fm.Client("grpc://me:se%20cret@host", "x"),
        lambda: keras_fm.get("mlp", weights=f"https://me:se%20cret@127.0.0.1:1/x#sha256={0:064}"),
        lambda: keras_fm.get("mlp", weights="https://me:se%20cret@127.0.0.1:1/x"),
        lambda: keras_fm.get("https://me:se%20cret@host/x"),
        lambda: checks.serve_check("https://me:se%20cret@host/x"),
    ],
    ids=["scheme", "no port", "download", "no hash", "model", "export"],
)
def test_no_other_error_repeats_it(call, monkeypatch):
    monkeypatch.setattr(downloads, "BACKOFF_SECONDS", 0.0)
    with pytest.raises(KerasFmError) as caught:
        call()
    assert "se%20cret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [["a"], {"a b": "c"}, {"a": 3}, {"a": "b\r\nc: d"}, {"a:": "b"}, {"": "b"}, {"a": "é"}],
)
def test_what_is_no_header_is_refused(headers):
    with pytest.raises(InvalidInputError, match="header"):
        keras_fm.Client("http://localhost:8501", "x", headers=headers)


def test_the_command_line_sends_headers(server, folder, capsys):
    options = ["--url", server.rest, "--header", "Authorization: Bearer a:b", "--header", "x-y:1"]
    assert cli.main(["predict", "linear_regression", str(folder / "rows.csv"), *options]) == 0
    assert {(x["authorization"], x["x-y"]) for x in server.headers} == {("Bearer a:b", "1")}
