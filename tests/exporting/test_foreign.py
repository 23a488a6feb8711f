"""Runtimes that are nothing of ours read the exports and answer what TensorFlow does.

Only the signatures whose inputs are numbers, ids or pixels: others hold operations on texts and
files that they do not have. `.ci/run` installs them beside this environment.
"""

import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.exporting import saved_model
from keras_fm.models import loading

NAMES = [
    name
    for task in ("image-classification", "text-classification")
    for name in registry.list_models(task=task)
]
SMALLER = {"mini_bert": {"depth": 1}}  # a block like the others; each takes a while to convert
NEAR = 1e-5  # between answers of the size of one: all of them compute in float32


@pytest.fixture(scope="module", params=NAMES)
def version(request, tmp_path_factory):
    """An export of each model that has such a signature."""
    name, changes = request.param, SMALLER.get(request.param, {})
    pretrained = registry.info(name).pretrained and not changes
    model = loading.get(name, weights="default" if pretrained else None, **changes)
    return saved_model.export(model, tmp_path_factory.mktemp("export"), warmup=False)


@pytest.fixture(scope="module")
def served(version):
    """The same as TensorFlow loads it."""
    return tf.saved_model.load(str(version))


@pytest.fixture(scope="module")
def signature(served):
    """Its name: `pixels` or `token_ids`."""
    [name] = set(served.signatures) & {"pixels", "token_ids"}
    return name


def inputs_of(signature):
    """Three batches of noise by the name of the input."""
    random = np.random.default_rng(0)
    [(name, spec)] = signature.structured_input_signature[1].items()
    for rows in (1, 3, 32):
        shape = [rows, *(size or 7 * rows for size in spec.shape[1:])]
        values = random.integers(1, 256, shape).astype(spec.dtype.as_numpy_dtype)
        if spec.dtype.is_integer:
            values[-1, shape[1] // 2 :] = 0  # a shorter text
        yield {name: values}


def check(answer, signature):
    """Whether `answer(inputs)`, by the outputs' names, is what the signature answers."""
    for inputs in inputs_of(signature):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        expected, answers = signature(**tensors), answer(inputs)
        assert set(answers) >= {"logits", "probabilities", "embedding"}
        for name, values in answers.items():
            if expected[name].dtype == tf.string:
                assert values.astype("U").tolist() == expected[name].numpy().astype("U").tolist()
            else:
                np.testing.assert_allclose(values, expected[name], rtol=NEAR, atol=NEAR)


def test_openvino(served, signature):
    openvino = pytest.importorskip("openvino")
    one = served.signatures[signature]
    # It reads no table, so not the labels' names.
    numbers = [name for name, spec in one.structured_outputs.items() if spec.dtype.is_floating]
    converted = openvino.convert_model(one, output=numbers)
    # Else it computes in bfloat16 where the CPU can.
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", options)

    def answer(inputs):
        answers = compiled(inputs)
        return {name: answers[name] for name in numbers}

    check(answer, one)


@pytest.mark.filterwarnings("ignore")  # of what tf2onnx uses
def test_onnx_runtime(version, served, signature, tmp_path, monkeypatch):
    tf2onnx = pytest.importorskip("tf2onnx.convert")
    onnxruntime = pytest.importorskip("onnxruntime")
    file = str(tmp_path / "model.onnx")
    options = {"saved-model": str(version), "signature_def": signature, "output": file}
    flags = [f"--{name}={value}" for name, value in options.items()]
    monkeypatch.setattr(sys, "argv", ["tf2onnx", "--tag=serve", *flags])
    tf2onnx.main()
    # It is loaded as well: tf2onnx calls a success what this refuses.
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    outputs = [one.name for one in session.get_outputs()]

    def answer(inputs):
        return dict(zip(outputs, session.run(outputs, inputs), strict=True))

    check(answer, served.signatures[signature])
