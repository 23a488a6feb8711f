"""An export responds to every request, or refuses it in a message that names the input."""

import itertools
import time

import helpers
import numpy as np
import pytest
from bad_requests import ASSERTION, LOADER_MESSAGES, requests

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.errors import ExportError, InvalidInputError
from keras_fm.exporting import saved_model, warmup
from keras_fm.exporting.session import Session
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec

NUM_REQUESTS, MANY_REQUESTS = 60, 1000  # to each model
TIMEOUT = 60  # seconds, after which a request counts as hanging
INVALID_ARGUMENT = 3
SMALL_MODELS = {  # of each task but tables, and of each tokenizer
    "image-classification": ("tiny_net", {}),
    "image-generation": ("gan", {}),
    "fill-mask": ("tiny_filler", {}),
    "text-classification": ("tiny_reader", {}),
    "text-generation": ("char_lstm", {"units": 12, "width": 6, "depth": 1}),
}
ALL_MODELS = [*registry.list_models(), "mini_bert masked language model"]


def good_requests(version):
    """A valid request of one row to each signature."""
    return {signature: requests[0] for signature, requests in warmup.read_warmup(version).items()}


def find_faults(version, count, seed=0):
    """Send invalid requests; return what went wrong."""
    examples, faults = good_requests(version), []
    with Session(version) as session:
        outputs_before = {name: session.run(name, inputs) for name, inputs in examples.items()}
        for request in itertools.islice(requests(examples, seed), count):
            start = time.monotonic()
            fault = find_fault(session, request)
            if time.monotonic() - start > TIMEOUT:
                fault = f"took {time.monotonic() - start:.0f} s"
            if fault:
                faults.append(f"{request.signature}, {request.description}: {fault}")
        for name, inputs in examples.items():
            for output, values in session.run(name, inputs).items():
                np.testing.assert_array_equal(values, outputs_before[name][output])
    return faults


def find_fault(session, request):
    """Return what is wrong with the response, or ""."""
    try:
        response = session.run(request.signature, request.inputs)
    except ExportError as error:
        is_named = any(message in str(error) for message in request.messages)
        is_refusal = any(message in str(error) for message in (ASSERTION, *LOADER_MESSAGES))
        is_right = is_named and is_refusal and error.code in (None, INVALID_ARGUMENT)
        return "" if is_right else f"refused: {error}"
    if request.messages and not request.is_optional:
        return "not refused"
    num_rows = max(map(len, request.inputs.values()))
    outputs = session.signatures[request.signature].outputs
    return "".join(
        find_output_fault(name, values, num_rows, outputs[name])
        for name, values in response.items()
    )


def find_output_fault(name, values, num_rows, tensor_info):
    """Return what is wrong with the values of an output, or ""."""
    shape = [size.size for size in tensor_info.tensor_shape.dim]
    expected = [
        actual if size == -1 else size for size, actual in zip(shape, values.shape, strict=False)
    ]
    if len(shape) != values.ndim or values.shape != (num_rows, *expected[1:]):
        return f"{name} has the shape {list(values.shape)} for {num_rows} rows"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return f"{name} is not finite"
    if name == "probabilities" and not np.allclose(values.sum(-1), 1, atol=1e-5):
        return f"{name} do not add up to 1"
    if name == "label" and not all(values):
        return f"{name} is empty"
    return ""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """linear_regression and its export."""
    model = loading.get("linear_regression")
    return model, helpers.export(model, tmp_path_factory.mktemp("table"), warmup=True)


@pytest.fixture(scope="module")
def row():
    """A diamond."""
    sample = datasets.sample("diamonds").inputs
    return {name: column[0].item() for name, column in sample.items()}


@pytest.fixture
def small_export(request, tmp_path):
    """The export of a small model of a task."""
    name, changes = SMALL_MODELS[request.param]
    if name.startswith("tiny"):
        request.getfixturevalue(name if name == "tiny_net" else "tiny_reader")
    package, _ = registry.find(name)
    spec = ModelSpec.of(package)
    if request.param == "fill-mask":
        spec = ModelSpec.of_pretraining(package)
    return helpers.export(building.build(spec, **changes), tmp_path, warmup=True)


@pytest.mark.parametrize(
    "small_export",
    [
        pytest.param(task, marks=[pytest.mark.thorough] * (task != "image-classification"))
        for task in SMALL_MODELS
    ],
    indirect=True,
)
def test_bad_requests_are_refused(small_export):
    assert find_faults(small_export, NUM_REQUESTS) == []


def test_bad_requests_to_a_table_are_refused(table):
    _, version = table
    assert find_faults(version, NUM_REQUESTS) == []


@pytest.mark.by_hand
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ALL_MODELS)
def test_a_thousand_bad_requests(name, tmp_path):
    package, _ = registry.find(name.split()[0])
    if name in registry.list_models():
        model = loading.get(name, weights="default" if package.entry.weights else None)
    else:
        model = building.build(ModelSpec.of_pretraining(package))
    assert find_faults(saved_model.export(model, tmp_path), MANY_REQUESTS) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("carat", np.nan, None),
        ("x", 0, None),
        ("cut", "Rough", None),
        ("carat", np.inf, "carat'?, row 1: expected a finite number"),
        ("depth", -np.inf, "depth'?, row 1: expected a finite number"),
        ("x", 1e39, "x'?, row 1: expected a finite number"),  # float32 has none so large
        ("carat", -1e30, "row 1 has no finite prediction: carat -1e.30, "),
    ],
)
def test_the_pipeline_and_an_export_take_the_same_tables(name, value, message, row, table):
    """NaN is missing; infinity is an error, and so is a row without a finite prediction."""
    model, version = table
    rows = [row, {**row, name: value}]
    with np.errstate(over="ignore"):
        columns = {key: np.array([cells[key] for cells in rows]) for key in row}
        columns |= {key: v.astype("float32") for key, v in columns.items() if v.dtype.kind == "f"}
    if message is None:
        with Session(version) as session:
            predictions = session.run("serving_default", columns)["value"]
        expected = [row["value"] for row in pipelines.pipeline(model)(rows)]
        np.testing.assert_allclose(predictions, expected, rtol=1e-5)
        return
    with pytest.raises(InvalidInputError, match=message):
        pipelines.pipeline(model)(rows)
    with Session(version) as session, pytest.raises(ExportError, match=message):
        session.run("serving_default", columns)


def test_a_seed_makes_the_same_requests():
    examples = {"one": {"text": np.array([b"x"], object), "length": np.array([3], "int32")}}
    requested, same, other = (
        [request.description for request in itertools.islice(requests(examples, seed), 50)]
        for seed in (1, 1, 2)
    )
    assert requested == same
    assert requested != other
