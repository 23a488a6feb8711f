"""An export answers every request, or refuses it in a sentence that names the input."""

import itertools
import time

import numpy as np
import pytest
from bad_requests import LOADER, REFUSED, requests

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.errors import ExportError, InvalidInputError
from keras_fm.exporting import saved_model, warmup
from keras_fm.exporting.session import Session
from keras_fm.models import building, loading, spec
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


def ask_all(version, count, seed=0):
    """Sends bad requests; returns what went wrong."""
    examples, faults = good_requests(version), []
    with Session(version) as session:
        outputs_before = {name: session.run(name, inputs) for name, inputs in examples.items()}
        for request in itertools.islice(requests(examples, seed), count):
            start = time.monotonic()
            fault = ask(session, request)
            if time.monotonic() - start > TIMEOUT:
                fault = f"took {time.monotonic() - start:.0f} s"
            if fault:
                faults.append(f"{request.signature}, {request.about}: {fault}")
        for name, inputs in examples.items():
            for output, values in session.run(name, inputs).items():
                np.testing.assert_array_equal(values, outputs_before[name][output])
    return faults


def ask(session, request):
    """Returns what is wrong with the response, or ""."""
    try:
        answers = session.run(request.signature, request.inputs)
    except ExportError as error:
        is_named = any(words in str(error) for words in request.refused)
        is_known = any(words in str(error) for words in (REFUSED, *LOADER))
        is_right = is_named and is_known and error.code in (None, INVALID_ARGUMENT)
        return "" if is_right else f"refused: {error}"
    if request.refused and not request.or_answered:
        return "answered"
    rows = max(map(len, request.inputs.values()))
    outputs = session.signatures[request.signature].outputs
    return "".join(check(name, values, rows, outputs[name]) for name, values in answers.items())


def check(name, values, rows, described):
    """Returns what is wrong with the values of an output, or ""."""
    shape = [size.size for size in described.tensor_shape.dim]
    expected = [
        actual if size == -1 else size for size, actual in zip(shape, values.shape, strict=False)
    ]
    if len(shape) != values.ndim or values.shape != (rows, *expected[1:]):
        return f"{name} has the shape {list(values.shape)} for {rows} rows"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return f"{name} is not finite"
    if name == "probabilities" and not np.allclose(values.sum(-1), 1, atol=1e-5):
        return f"{name} do not add up to 1"
    if name == "label" and not all(values):
        return f"{name} is nothing"
    return ""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """linear_regression and its export."""
    model = loading.get("linear_regression")
    return model, saved_model.export(model, tmp_path_factory.mktemp("table"))


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
    room, _ = registry.find(name)
    identity = spec.ModelSpec.of(room)
    if request.param == "fill-mask":
        identity = ModelSpec.of_pretraining(room)
    return saved_model.export(building.build(identity, **changes), tmp_path)


@pytest.mark.parametrize("small_export", SMALL_MODELS, indirect=True)
def test_bad_requests_are_refused(small_export):
    assert ask_all(small_export, NUM_REQUESTS) == []


def test_bad_requests_to_a_table_are_refused(table):
    _, version = table
    assert ask_all(version, NUM_REQUESTS) == []


@pytest.mark.by_hand
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ALL_MODELS)
def test_a_thousand_bad_requests(name, tmp_path):
    room, _ = registry.find(name.split()[0])
    if name in registry.list_models():
        model = loading.get(name, weights="default" if room.entry.weights else None)
    else:
        model = building.build(ModelSpec.of_pretraining(room))
    assert ask_all(saved_model.export(model, tmp_path), MANY_REQUESTS) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
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
def test_the_pipeline_and_an_export_take_the_same_tables(name, value, sentence, row, table):
    """NaN is missing; infinity is an error, and so is a row without a finite prediction."""
    model, version = table
    rows = [row, {**row, name: value}]
    with np.errstate(over="ignore"):
        columns = {key: np.array([cells[key] for cells in rows]) for key in row}
        columns |= {key: v.astype("float32") for key, v in columns.items() if v.dtype.kind == "f"}
    if sentence is None:
        with Session(version) as session:
            answers = session.run("serving_default", columns)["value"]
        expected = [answer["value"] for answer in pipelines.pipeline(model)(rows)]
        np.testing.assert_allclose(answers, expected, rtol=1e-5)
        return
    with pytest.raises(InvalidInputError, match=sentence):
        pipelines.pipeline(model)(rows)
    with Session(version) as session, pytest.raises(ExportError, match=sentence):
        session.run("serving_default", columns)


def test_a_seed_makes_the_same_requests():
    examples = {"one": {"text": np.array([b"x"], object), "length": np.array([3], "int32")}}
    requested, same, other = (
        [request.about for request in itertools.islice(requests(examples, seed), 50)]
        for seed in (1, 1, 2)
    )
    assert requested == same
    assert requested != other
