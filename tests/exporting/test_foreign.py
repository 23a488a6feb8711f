"""OpenVINO and ONNX Runtime read the exports and have the outputs of TensorFlow.

Only by the signatures of numbers, token IDs or pixels: they have no operations on texts and files.
`.ci/run` installs them beside this environment.
"""

import sys
from importlib.util import find_spec

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.models import loading

NAMES = [
    name
    for task in ("image-classification", "text-classification")
    for name in registry.list_models(task=task)
]
SMALLER = {"mini_bert": {"depth": 1}}  # of equal blocks, each of which takes a while to convert
TOLERANCE = 1e-5  # all of them compute in float32


@pytest.fixture(scope="module", params=NAMES)
def version(request, tmp_path_factory):
    """The export of each model that has such a signature."""
    name, arguments = request.param, SMALLER.get(request.param, {})
    pretrained = registry.info(name).pretrained and not arguments
    model = loading.get(name, weights="default" if pretrained else None, **arguments)
    return helpers.export(model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def served(version):
    """The export, loaded by TensorFlow."""
    return tf.saved_model.load(str(version))


@pytest.fixture(scope="module")
def signature(served):
    """The name of the signature: `pixels` or `token_ids`."""
    [name] = set(served.signatures) & {"pixels", "token_ids"}
    return name


def inputs_of(signature):
    """Yield three batches of noise by the name of the input."""
    random = np.random.default_rng(0)
    [(name, spec)] = signature.structured_input_signature[1].items()
    for batch_size in (1, 3, 32):
        shape = [batch_size, *(size or 7 * batch_size for size in spec.shape[1:])]
        values = random.integers(1, 256, shape).astype(spec.dtype.as_numpy_dtype)
        if spec.dtype.is_integer:
            values[-1, shape[1] // 2 :] = 0  # a shorter text
        yield {name: values}


def check(run, signature):
    """Check that `run(inputs)`, by the outputs' names, has the outputs of the signature."""
    for inputs in inputs_of(signature):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        expected, outputs = signature(**tensors), run(inputs)
        assert set(outputs) >= {"logits", "probabilities", "embedding"}
        for name, values in outputs.items():
            if expected[name].dtype == tf.string:
                assert values.astype("U").tolist() == expected[name].numpy().astype("U").tolist()
            else:
                np.testing.assert_allclose(values, expected[name], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.skipif(not find_spec("openvino"), reason="could not import openvino: see .ci/run")
def test_openvino(served, signature):
    import openvino

    fn = served.signatures[signature]
    # It has no lookup tables, so no labels.
    numbers = [name for name, spec in fn.structured_outputs.items() if spec.dtype.is_floating]
    converted = openvino.convert_model(fn, output=numbers)
    # Else it computes in bfloat16 where the CPU can.
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", options)

    def run(inputs):
        outputs = compiled(inputs)
        return {name: outputs[name] for name in numbers}

    check(run, fn)


@pytest.mark.filterwarnings("ignore")  # of what tf2onnx uses
@pytest.mark.skipif(not find_spec("tf2onnx"), reason="could not import tf2onnx: see .ci/run")
def test_onnx_runtime(version, served, signature, tmp_path, monkeypatch):
    import onnxruntime
    from tf2onnx import convert

    file = str(tmp_path / "model.onnx")
    options = {"saved-model": str(version), "signature_def": signature, "output": file}
    flags = [f"--{name}={value}" for name, value in options.items()]
    monkeypatch.setattr(sys, "argv", ["tf2onnx", "--tag=serve", *flags])
    convert.main()
    # tf2onnx also succeeds where ONNX Runtime refuses the file.
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(inputs):
        return dict(zip(outputs, session.run(outputs, inputs), strict=True))

    check(run, served.signatures[signature])
