"""What can go wrong between a client and a server, and what the client says then."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import helpers
import numpy as np
import pytest
import tensorflow as tf

import keras_fm
from keras_fm.errors import InvalidInputError, KerasFmError, ServerError


@pytest.fixture
def says():
    """`says(content)`: the URL of a server that answers this to everything."""
    servers = []

    def start(content, status=200, delay=0.0, cut=0):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(delay)
                with contextlib.suppress(ConnectionError):  # who asked may not have waited
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content) + cut))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there(scheme, nowhere):
    with pytest.raises(ServerError, match=rf"{nowhere}.* can't be asked: .*[Rr]efused"):
        keras_fm.Client(f"{scheme}://{nowhere}", "cifar_cnn")("x")


def test_a_server_that_is_late(protocol, server, diamonds):
    ask = keras_fm.Client(getattr(server, protocol), "linear_regression", timeout=5)
    assert len(ask(diamonds[:1])) == 1
    late = keras_fm.Client(getattr(server, protocol), "linear_regression", timeout=0.3)
    late._server.signatures = ask.signatures
    server.delay = 1.0
    with pytest.raises(ServerError, match=r"did not answer within 0\.3 seconds"):
        late(diamonds[:1])


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"<html>a proxy</html>", {}, "answered no JSON: <html>a proxy</html>"),
        (b"\xff", {}, "answered no JSON"),
        (b"[" * 100_000, {}, "answered no JSON"),
        (b"[]", {}, r"does not answer as TF Serving does: \[\]"),
        (b'{"metadata": 3}', {}, 'does not answer as TF Serving does: {"metadata": 3}'),
        (b'{"error": "too  busy"}', {"status": 503}, "/metadata answered 503: too busy$"),
        (b"<b>no</b>", {"status": 500}, "answered 500: <b>no</b>"),
        (b"", {"delay": 1.0}, r"did not answer within 0\.5 seconds"),
        (b"{}", {"cut": 5}, "can't be asked"),
    ],
)
def test_what_is_no_answer_of_tf_serving(content, options, sentence, says):
    with pytest.raises(ServerError, match=sentence):
        keras_fm.Client(says(content, **options), "cifar_cnn", timeout=0.5)(b"x")


@pytest.mark.parametrize(
    "predictions", [3, [], [{"label": "x"}], [{"label": 1, "logits": "a", "probabilities": []}]]
)
def test_rows_that_do_not_fit(predictions, server, says):
    ask = keras_fm.Client(says(b"{}"), "cifar_cnn_basic")
    ask._server.signatures = keras_fm.Client(server.rest, "cifar_cnn_basic").signatures
    ask._server._request = lambda address, body: {"predictions": predictions}
    with pytest.raises(ServerError, match=r"does not answer as TF Serving|rows of"):
        ask(helpers.image(2, 2))


@pytest.mark.parametrize(("protocol", "status"), [("rest", 404), ("grpc", "NOT_FOUND")])
def test_an_unknown_model_names_those_that_are_there(protocol, status, server):
    for name, version, asked in [("cifar", None, "Latest"), ("gan", 7, "Specific")]:
        ask = keras_fm.Client(getattr(server, protocol), name, version=version)
        with pytest.raises(ServerError) as caught:
            ask("x")
        assert caught.value.status == status
        assert f"Servable not found for request: {asked}({name}" in str(caught.value)
        there = "char_lstm, cifar_cnn_basic, gan, linear_regression, lstm"
        assert str(caught.value).endswith(f". Models of the zoo there: {there}")


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"image": np.zeros((1, 2, 2, 3)) + 0.5}, "double is provided|not of expected type: uint8"),
        ({"image": np.zeros((1, 2, 2, 4), "uint8")}, "answered"),
        ({"image": np.zeros(2, "uint8")}, "answered"),
        ({"image": np.array(["x"])}, "string is provided|not of expected type: uint8"),
        ({}, "answered"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words(inputs, sentence, protocol, server):
    ask = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic")
    with pytest.raises(ServerError, match=sentence) as caught:
        ask.predict(inputs)
    assert caught.value.status in (400, "INVALID_ARGUMENT")
    with pytest.raises(ServerError, match="answered") as caught:
        ask(b"no image")
    assert caught.value.status in (400, "INVALID_ARGUMENT")


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
def test_what_can_not_be_asked(inputs, signature, sentence, server):
    with pytest.raises(KerasFmError, match=sentence):
        keras_fm.Client(server.rest, "cifar_cnn_basic").predict(inputs, signature)
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "inputs", "options", "sentence"),
    [
        ("cifar_cnn_basic", [], {}, "at least one image"),
        ("cifar_cnn_basic", "no/such.png", {}, "no/such.png can't be read: No such file"),
        ("cifar_cnn_basic", b"", {"seed": 1}, r"Client\(.*\) has no option 'seed'"),
        ("lstm", [], {}, "received an empty list"),
        ("lstm", [3], {}, "expected texts .*received int"),
        ("linear_regression", [], {}, "received an empty list"),
        ("linear_regression", {"carat": 1}, {}, "no column 'clarity'; received carat"),
        ("char_lstm", "a", {"length": -1}, "length is a whole number .*received -1"),
        ("char_lstm", "a", {"seed": 2**31}, "seed is a whole number"),
        ("char_lstm", "a", {"temperature": "hot"}, "temperature is a number .*'hot'"),
        ("gan", "Bag", {"seed": 0.5}, "seed is a whole number"),
        ("gan", "Bags", {}, "answered 400: .*label.*expected one of"),
    ],
)
def test_bad_inputs_are_named(name, inputs, options, sentence, server):
    with pytest.raises(KerasFmError, match=sentence):
        keras_fm.Client(server.rest, name)(inputs, **options)


def test_a_model_of_another_kind_is_asked_by_predict(serve, tmp_path):
    class Adder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="x")])
        def add(self, x):
            return {"sum": tf.reduce_sum(x, axis=1)}

    adder = Adder()
    tf.saved_model.save(adder, str(tmp_path / "1"), {"serving_default": adder.add})
    server = serve({"adder": tmp_path / "1"})
    for url in (server.rest, server.grpc):
        ask = keras_fm.Client(url, "adder")
        assert ask.predict({"x": [[1, 2.5]]})["sum"].tolist() == [3.5]
        nothing = ask.predict({"x": np.array([[np.nan, 1], [np.inf, 1]], "float32")})["sum"]
        np.testing.assert_array_equal(nothing, [np.nan, np.inf])
        with pytest.raises(InvalidInputError, match="no task of the zoo, serving_default: ask it"):
            ask([[1, 2]])


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
        (("http://host:1", "m", {"version": "1"}), "version is a whole number; received '1'"),
        (("http://host:1", "m", {"timeout": 0}), "timeout is a number .*received 0"),
        (("http://host:1", "m", {"timeout": float("nan")}), "timeout is a number"),
    ],
)
def test_what_is_no_server_is_named(arguments, sentence):
    url, model, *options = arguments
    with pytest.raises(InvalidInputError, match=sentence):
        keras_fm.Client(url, model, **(options[0] if options else {}))
