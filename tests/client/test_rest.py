"""JSON of TF Serving's REST API, and signatures, without a server."""

import json

import numpy as np
import pytest

from keras_fm.serving import rest
from keras_fm.serving.signatures import Signature, TensorInfo, parse_signatures


def instances(**inputs):
    """Encode a request and return its instances."""
    body = json.loads(rest.encode_request("s", inputs))
    assert set(body) == {"signature_name", "instances"}
    assert body["signature_name"] == "s"
    return body["instances"]


def test_names_that_end_in_bytes_are_base64():
    files = np.array([b"abc", b"\xff\x00"], object)
    assert instances(image_bytes=files) == [
        {"image_bytes": {"b64": "YWJj"}},
        {"image_bytes": {"b64": "/wA="}},
    ]


def test_other_strings_are_text_where_they_are_utf8():
    texts = np.array(["Zürich".encode(), b"a\xff"], object)
    assert instances(text=texts) == [{"text": "Zürich"}, {"text": {"b64": "Yf8="}}]


def test_rows_have_a_value_of_each_input():
    columns = {
        "image": np.arange(8, dtype="uint8").reshape(2, 2, 2),
        "flag": np.array([True, False]),
        "price": np.array([61.7, np.nan], "float32"),
        "scores": np.array([[0.1], [2.0]], "float32"),
        "exact": np.array([0.1, 1e300]),
    }
    first, second = instances(**columns)
    assert first == {
        "image": [[0, 1], [2, 3]], "flag": True, "price": 61.7, "scores": [0.1], "exact": 0.1
    }  # fmt: skip
    assert second["image"] == [[4, 5], [6, 7]]
    assert np.isnan(second["price"])
    assert second["exact"] == 1e300


def test_a_request_is_decoded_to_its_inputs():
    inputs = {
        "image_bytes": np.array([b"abc", b"\xff\x00"], object),
        "text": np.array(["Zürich".encode(), b"a\xff"], object),
        "seed": np.array([1, 2**62]),
        "half": np.array([[0.5], [1.5]], "float16"),
    }
    tensors = {
        name: TensorInfo("string" if array.dtype == object else array.dtype.name, (None,))
        for name, array in inputs.items()
    }
    decoded = rest.decode_request(rest.encode_request("s", inputs), tensors)
    assert decoded.keys() == inputs.keys()
    for name, array in inputs.items():
        assert decoded[name].dtype == array.dtype
        np.testing.assert_array_equal(decoded[name], array)


@pytest.mark.parametrize("rows", [[[1.0], [2.0]], [{"y": [1.0]}, {"y": [2.0]}]])
def test_a_single_output_may_have_no_name(rows):
    [(name, values)] = rest.to_arrays(rows, {"y": TensorInfo("float32", (None, 1))}).items()
    assert (name, values.tolist(), values.dtype) == ("y", [[1.0], [2.0]], np.float32)


def test_a_single_output_of_bytes_is_no_row_of_names():
    rows = [{"b64": "YWJj"}]
    tensors = {"image_bytes": TensorInfo("string", (None,))}
    assert rest.to_arrays(rows, tensors)["image_bytes"].tolist() == [b"abc"]


@pytest.mark.parametrize(
    "rows", [[{"a": 1}], [{"a": 1, "b": "x"}], [{"a": 1, "b": [[1], [1, 2]]}], [3], 3]
)
def test_rows_that_do_not_fit_are_an_error(rows):
    tensors = {"a": TensorInfo("int32", (None,)), "b": TensorInfo("float32", (None,))}
    with pytest.raises((KeyError, TypeError, ValueError)):
        rest.to_arrays(rows, tensors)


def test_signatures_have_numpys_dtypes_and_none_for_any_size():
    def tensor(dtype, *sizes):
        return {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(size)} for size in sizes]}}

    inputs = {
        "image": tensor("DT_UINT8", -1, -1, 32, 3), "text": tensor("DT_STRING", -1),
        "a": tensor("DT_FLOAT", -1), "b": tensor("DT_DOUBLE", -1), "c": tensor("DT_HALF", -1),
    }  # fmt: skip
    definition = {"inputs": inputs, "outputs": {"seed": tensor("DT_INT64")}}
    parsed = parse_signatures({"s": definition, "__saved_model_init_op": {"inputs": 3}})
    expected = {
        "image": TensorInfo("uint8", (None, None, 32, 3)), "text": TensorInfo("string", (None,)),
        "a": TensorInfo("float32", (None,)), "b": TensorInfo("float64", (None,)),
        "c": TensorInfo("float16", (None,)),
    }  # fmt: skip
    assert parsed == {"s": Signature(expected, {"seed": TensorInfo("int64", ())})}
    assert [parsed["s"].inputs[name].numpy for name in ("text", "c")] == [object, np.float16]
