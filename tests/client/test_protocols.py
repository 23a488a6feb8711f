"""TF Serving's protocols, which the test double speaks, without the client."""

import base64
import json
import urllib.error
import urllib.request

import grpc
import helpers
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def post(url, body):
    """Return the status and the JSON of the response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_rest_takes_rows_and_columns(models, server):
    url = f"{server.rest}/v1/models/cifar_cnn_basic"
    image = helpers.image(32, 32)
    file = {"b64": base64.b64encode(helpers.encode(image)).decode()}
    serve_bytes = {"signature_name": "serve_bytes"}
    bodies = [
        {"instances": [{"image": image.tolist()}]},
        {"instances": [image.tolist()], "signature_name": "serving_default"},
        {"instances": [{"image_bytes": file}], **serve_bytes},
        {"instances": [file], **serve_bytes},
        {"inputs": {"image": [image.tolist()]}},
        {"inputs": [image.tolist()]},
        {"inputs": {"image_bytes": [file]}, **serve_bytes},
        {"inputs": [file], **serve_bytes},
    ]
    [expected] = helpers.logits(models["cifar_cnn_basic"], image[None])
    for body in bodies:
        for address in (url, f"{url}/versions/1"):
            status, response = post(f"{address}:predict", body)
            assert status == 200, response
            if "instances" in body:
                [row] = response["predictions"]
            else:
                row = {name: column[0] for name, column in response["outputs"].items()}
            np.testing.assert_allclose(row["logits"], expected, atol=1e-5)
    features = {"signature_name": "features", "inputs": [image.tolist()]}
    assert np.shape(post(f"{url}:predict", features)[1]["outputs"])[0] == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "JSON Parse error"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [1.5]}, "1.5 Type: Number is not of expected type: uint8"),
        ({"instances": [{"img": 1}]}, "does not have named input: img"),
        ({"instances": [[[[1, 2, 3]]], [[[1, 2]]]]}, "Expecting tensor size: 3 but got: 2"),
        ({"inputs": {"img": 1}}, "Missing named input: image in 'inputs' object"),
        ({"instances": [1], "signature_name": "s"}, 'name: "s" not found in signature def'),
    ],
)
def test_rest_errors_are_those_of_tf_serving(body, sentence, server):
    status, response = post(f"{server.rest}/v1/models/cifar_cnn_basic:predict", body)
    assert (status, list(response)) == (400, ["error"])
    assert sentence in response["error"]


def test_grpc_returns_the_filtered_outputs(server):
    channel = grpc.insecure_channel(server.grpc.removeprefix("grpc://"))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest(
        inputs={"image": tf.make_tensor_proto(helpers.noise(2).inputs)}, output_filter=["label"]
    )
    request.model_spec.name = "cifar_cnn_basic"
    response = stub.Predict(request)
    assert list(response.outputs) == ["label"]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (
        1, "serving_default"
    )  # fmt: skip
    wrong = {
        "output_filter": ["labels"],
        "signature_name": "s",
        "inputs": {"img": tf.make_tensor_proto([1])},
    }
    sentences = {
        "output_filter": "output tensor alias not found in signature: labels",
        "signature_name": 'Serving signature key "s" not found.',
        "inputs": "input size does not match signature: 2!=1 len({image,img}) != len({image})",
    }
    for field, value in wrong.items():
        invalid = predict_pb2.PredictRequest()
        invalid.CopyFrom(request)
        spec = {"signature_name": value} if field == "signature_name" else {}
        more = {} if spec else {field: value}
        invalid.MergeFrom(predict_pb2.PredictRequest(model_spec=spec, **more))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(invalid)
        assert sentences[field] in caught.value.details()
    channel.close()
