"""Errors between a client and a server, and what the client says of them."""

import contextlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import helpers
import numpy as np
import pytest
import tensorflow as tf

import keras_fm
from keras_fm.errors import InvalidInputError, KerasFmError, ServerError
from keras_fm.serving import servers
from keras_fm.serving.signatures import TensorInfo

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import Fault, serving


@pytest.fixture
def respond_with():
    """`respond_with(content)`: the URL of a server that sends this response to every request."""
    servers = []

    def start(content, status=200, delay=0.0, missing=0, headers=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(delay)
                with contextlib.suppress(ConnectionError):  # the client may not have waited
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content) + missing))
                    for name, value in (headers or {}).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there(scheme, nowhere):
    with pytest.raises(ServerError, match=rf"{nowhere}.* can't be reached: .*[Rr]efused"):
        keras_fm.Client(f"{scheme}://{nowhere}", "cifar_cnn")("x")


def test_a_server_that_is_late(protocol, server, diamonds):
    client = keras_fm.Client(getattr(server, protocol), "linear_regression", timeout=5)
    assert len(client(diamonds[:1])) == 1
    impatient = keras_fm.Client(getattr(server, protocol), "linear_regression", timeout=0.3)
    impatient._server.signatures = client.signatures
    server.delay, num_requests = 1.0, len(server.batch_sizes)
    with pytest.raises(ServerError, match=r"did not respond within 0\.3 seconds"):
        impatient(diamonds[:1])
    while len(server.batch_sizes) == num_requests:  # or another test would see the request
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"<html>a proxy</html>", {}, "returned no JSON: <html>a proxy</html>"),
        (b"\xff", {}, "returned no JSON"),
        (b"[" * 100_000, {}, "returned no JSON"),
        (b"[]", {}, r"does not respond as TF Serving does: \[\]"),
        (b'{"metadata": 3}', {}, 'does not respond as TF Serving does: {"metadata": 3}'),
        (b'{"error": "too  busy"}', {"status": 503}, "/metadata returned 503: too busy$"),
        (b"<b>no</b>", {"status": 500}, "returned 500: <b>no</b>"),
        (b"", {"delay": 1.0}, r"did not respond within 0\.5 seconds"),
        (b"{}", {"missing": 5}, "can't be reached"),
    ],
)
def test_responses_that_tf_serving_does_not_send(content, options, sentence, respond_with):
    with pytest.raises(ServerError, match=sentence):
        keras_fm.Client(respond_with(content, **options), "cifar_cnn", timeout=0.5)(b"x")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status, server, respond_with):
    target = f"{server.rest}/v1/models/linear_regression"
    headers = {"Location": target}
    client = keras_fm.Client(respond_with(b"", status, headers=headers), "linear_regression")
    for _ in range(2):  # the GET of the metadata, then a POST
        with pytest.raises(ServerError, match=f"returned {status}, a redirect to {target}: use"):
            client.predict({"carat": [1.0]})
        client._server.signatures = keras_fm.Client(server.rest, "linear_regression").signatures
    assert server.batch_sizes == []


def test_a_redirect_with_an_endless_body_is_not_read():
    refused = pytest.raises(ServerError, match="a redirect to /v1/models/m/metadata")
    with serving(b"", Fault("redirect", how="endless body")) as server, refused:
        keras_fm.Client(server.url, "m").predict({})


@pytest.mark.parametrize("how", ["honest", "bomb"])
def test_a_packed_response_is_not_unpacked(how):
    refused = pytest.raises(ServerError, match="returned no JSON")
    metadata = b'{"metadata": {"signature_def": {"signature_def": {}}}}'
    with serving(metadata, Fault("gzip", how=how)) as server, refused:
        keras_fm.Client(server.url, "m").predict({})


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("silence"), r"did not respond within 0\.5 seconds"),
        (Fault("stall", 5), r"did not respond within 0\.5 seconds"),
        (Fault("cut", 5), "can't be reached: IncompleteRead"),
        (Fault("reset", 5), "can't be reached: "),
        (Fault("no_http", 9), "can't be reached: no HTTP response"),
        (Fault("headers"), "can't be reached: got more than 100 headers"),
        (Fault("chunked", how="no end"), "can't be reached: IncompleteRead"),
        (Fault("chunked", how="no number"), "can't be reached: "),
        (Fault("status", how=(204, None)), "returned 204: "),
    ],
    ids=str,
)
def test_a_faulty_server_is_named_in_one_line(fault, sentence):
    refused = pytest.raises(ServerError, match=sentence)
    with serving(b'{"metadata": {}}', fault) as server, refused as caught:
        keras_fm.Client(server.url, "m", timeout=0.5).predict({})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{server.url}/v1/models/m/metadata ")


@pytest.mark.parametrize(
    "url", ["http://a b", "http://\udcff", "http://x..y", f"http://{'a' * 70}"]
)
def test_an_address_that_is_none_is_an_error(url):
    with pytest.raises(ServerError, match="can't be reached: "):
        keras_fm.Client(url, "m").predict({})


def test_the_environment_names_a_proxy(monkeypatch, server, nowhere):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.rest)
    with pytest.raises(ServerError, match=f"Malformed request: GET http://{nowhere}/v1/models"):
        keras_fm.Client(f"http://{nowhere}", "linear_regression").predict({})  # it is no proxy
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ServerError, match="refused"):
        keras_fm.Client(f"http://{nowhere}", "linear_regression").predict({})


def test_importing_the_client_imports_no_http_library():
    code = "import sys; import keras_fm.client; sys.exit('requests' in sys.modules)"
    assert helpers.python(code).returncode == 0


@pytest.mark.parametrize(
    "predictions", [3, [], [{"label": "x"}], [{"label": 1, "logits": "a", "probabilities": []}]]
)
def test_rows_that_do_not_fit(predictions, server, respond_with):
    client = keras_fm.Client(respond_with(b"{}"), "cifar_cnn_basic")
    client._server.signatures = keras_fm.Client(server.rest, "cifar_cnn_basic").signatures
    client._server._request = lambda address, body: {"predictions": predictions}
    with pytest.raises(ServerError, match=r"does not respond as TF Serving|rows of"):
        client(helpers.image(2, 2))


@pytest.mark.parametrize(("protocol", "status"), [("rest", 404), ("grpc", "NOT_FOUND")])
def test_an_unknown_model_names_those_that_are_there(protocol, status, server):
    for name, version, kind in [("cifar", None, "Latest"), ("gan", 7, "Specific")]:
        client = keras_fm.Client(getattr(server, protocol), name, version=version)
        with pytest.raises(ServerError) as caught:
            client("x")
        assert caught.value.status == status
        assert f"Servable not found for request: {kind}({name}" in str(caught.value)
        served = "char_lstm, cifar_cnn_basic, gan, linear_regression, lstm"
        assert str(caught.value).endswith(f". Models of the zoo there: {served}")


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"image": np.zeros((1, 2, 2, 3)) + 0.5}, "double is provided|not of expected type: uint8"),
        ({"image": np.zeros((1, 2, 2, 4), "uint8")}, "returned"),
        ({"image": np.zeros(2, "uint8")}, "returned"),
        ({"image": np.array(["x"])}, "string is provided|not of expected type: uint8"),
        ({}, "returned"),
    ],
)
def test_an_error_of_the_server_is_passed_on(inputs, sentence, protocol, server):
    client = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic")
    with pytest.raises(ServerError, match=sentence) as caught:
        client.predict(inputs)
    assert caught.value.status in (400, "INVALID_ARGUMENT")
    with pytest.raises(ServerError, match="returned") as caught:
        client(b"\xff\xd8\xff no JPEG")
    assert caught.value.status in (400, "INVALID_ARGUMENT")
    with pytest.raises(InvalidInputError, match="8 bytes, in no format that Pillow knows"):
        client(b"no image")


@pytest.mark.parametrize(
    ("inputs", "signature", "sentence"),
    [
        ({"image": [[[[0, 0, 0]]]]}, "serve", "no signature 'serve'. Did you mean 'serve_bytes'"),
        ({"img": []}, "features", "no input 'img'. Did you mean 'image'"),
        ({"image": [1.5]}, "features", "image: expected uint8; received"),
        ({"image": [256]}, "features", "image: expected uint8; received"),
        ({"image": [[1], [1, 2]]}, "features", "image: expected uint8; received"),
        ({"image": ["a"]}, "features", "image: expected uint8; received"),
        ({"image": np.zeros(2, complex)}, "features", "image: expected uint8; received"),
        ({"image_bytes": [3]}, "serve_bytes", "image_bytes: expected string; received"),
        ({"image_bytes": "a"}, "serve_bytes", "expected as many rows in each input"),
    ],
)
def test_invalid_inputs_are_not_sent(inputs, signature, sentence, server):
    with pytest.raises(KerasFmError, match=sentence):
        keras_fm.Client(server.rest, "cifar_cnn_basic").predict(inputs, signature)
    assert server.batch_sizes == []


@pytest.mark.parametrize(
    ("name", "inputs", "options", "sentence"),
    [
        ("cifar_cnn_basic", [], {}, "at least one image"),
        ("cifar_cnn_basic", "no/such.png", {}, "there is no file no/such.png"),
        ("cifar_cnn_basic", b"", {"seed": 1}, r"Client\(.*\) has no option 'seed'"),
        ("lstm", [], {}, "received an empty list"),
        ("lstm", [3], {}, "expected one text .*received int"),
        ("linear_regression", [], {}, "received an empty list"),
        ("linear_regression", {"carat": 1}, {}, "no column 'clarity'; received carat"),
        ("char_lstm", "a", {"length": -1}, "length is a whole number .*received -1"),
        ("char_lstm", "a", {"seed": 2**31}, "seed is a whole number"),
        ("char_lstm", "a", {"temperature": "hot"}, "temperature is a number .*'hot'"),
        ("gan", "Bag", {"seed": 0.5}, "seed is a whole number"),
        ("gan", "Bags", {}, "returned 400: .*label.*expected one of"),
    ],
)
def test_bad_inputs_are_named(name, inputs, options, sentence, server):
    with pytest.raises(KerasFmError, match=sentence):
        keras_fm.Client(server.rest, name)(inputs, **options)


def test_a_model_of_another_task_has_predict_alone(serve, tmp_path):
    class Adder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="x")])
        def add(self, x):
            return {"sum": tf.reduce_sum(x, axis=1)}

    adder = Adder()
    tf.saved_model.save(adder, str(tmp_path / "1"), {"serving_default": adder.add})
    server = serve({"adder": tmp_path / "1"})
    for url in (server.rest, server.grpc):
        client = keras_fm.Client(url, "adder")
        assert client.predict({"x": [[1, 2.5]]})["sum"].tolist() == [3.5]
        sums = client.predict({"x": np.array([[np.nan, 1], [np.inf, 1]], "float32")})["sum"]
        np.testing.assert_array_equal(sums, [np.nan, np.inf])
        with pytest.raises(
            InvalidInputError, match="no task of the zoo, serving_default: call them"
        ):
            client([[1, 2]])


def test_a_response_may_be_larger_than_grpcs_default(serve, tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def repeat(x):
        return {"y": tf.tile(x[:, None], [1, 1_200_000])}

    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), {"serving_default": repeat})
    server = serve({"repeat": tmp_path / "1"})
    outputs = keras_fm.Client(server.grpc, "repeat").predict({"x": [2.0]})
    assert outputs["y"].nbytes > 4 << 20


def test_inputs_have_as_many_rows(server, diamonds):
    client = keras_fm.Client(server.rest, "linear_regression")
    names = client.signatures["serving_default"].inputs
    columns = {name: [row[name] for row in diamonds[:3]] for name in names}
    assert len(client.predict(columns)["value"]) == 3
    server.batch_sizes.clear()
    with pytest.raises(InvalidInputError, match="expected as many rows in each input"):
        client.predict({**columns, "carat": columns["carat"][:2]})
    assert server.batch_sizes == []


def test_a_lone_surrogate_is_sent_as_bytes_that_no_text_has():
    array = servers._to_array("text", ["a\ud800"], TensorInfo("string", (None,)))
    assert array.tolist() == [b"a\xed\xa0\x80"]


def test_numpy_numbers_are_options(server, diamonds):
    options = {"version": np.int64(1), "timeout": np.float32(20)}
    assert keras_fm.Client(server.rest, "linear_regression", **options)(diamonds[:1])
    with pytest.raises(ServerError, match=r"Specific\(linear_regression, 2\)"):
        keras_fm.Client(server.rest, "linear_regression", version=np.int64(2))(diamonds[:1])


def test_a_name_can_not_leave_its_place_in_the_address(server):
    with pytest.raises(ServerError, match=r"/v1/models/a%2F\.\.%2Flinear_regression/metadata"):
        keras_fm.Client(server.rest, "a/../linear_regression").predict({})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("localhost:8501", "m"), "url is http://HOST:8501"),
        (("ftp://host:1", "m"), "received 'ftp://host:1'"),
        (("http://", "m"), "received 'http://'"),
        (("grpc://host", "m"), "received 'grpc://host'"),
        (("http://host:port", "m"), "received 'http://host:port'"),
        ((None, "m"), "received None"),
        (("http://host:1", ""), "model is its name in the server; received ''"),
        (("http://host:1", "m", {"version": True}), "version is a whole number; received True"),
        (("http://host:1", "m", {"version": "1"}), "version is a whole number; received '1'"),
        (("http://host:1", "m", {"timeout": 0}), "timeout is a number .*received 0"),
        (("http://host:1", "m", {"timeout": float("nan")}), "timeout is a number"),
    ],
)
def test_invalid_arguments_are_named(arguments, sentence):
    url, model, *options = arguments
    with pytest.raises(InvalidInputError, match=sentence):
        keras_fm.Client(url, model, **(options[0] if options else {}))
