"""Whatever is sent to an export is answered, or refused in a sentence that names the input."""

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

SHARE, ALL = 60, 1000  # requests to each model
PATIENCE = 60  # seconds: whoever takes longer hangs
INVALID_ARGUMENT = 3
SMALL = {  # a model of each task but tables, and of each way to read texts
    "image-classification": ("tiny_net", {}),
    "image-generation": ("gan", {}),
    "fill-mask": ("tiny_filler", {}),
    "text-classification": ("tiny_reader", {}),
    "text-generation": ("char_lstm", {"units": 12, "width": 6, "depth": 1}),
}
EVERY = [*registry.list_models(), "mini_bert that fills gaps"]


def good_requests(version):
    """A good request to each signature, a row each."""
    return {signature: asked[0] for signature, asked in warmup.read_warmup(version).items()}


def ask_all(version, count, seed=0):
    """Sends so many bad requests; answers what was not as it has to be."""
    examples, faults = good_requests(version), []
    with Session(version) as session:
        before = {name: session.run(name, inputs) for name, inputs in examples.items()}
        for request in itertools.islice(requests(examples, seed), count):
            began = time.monotonic()
            fault = ask(session, request)
            if time.monotonic() - began > PATIENCE:
                fault = f"took {time.monotonic() - began:.0f} s"
            if fault:
                faults.append(f"{request.signature}, {request.about}: {fault}")
        for name, inputs in examples.items():
            for output, values in session.run(name, inputs).items():
                np.testing.assert_array_equal(values, before[name][output])
    return faults


def ask(session, request):
    """What is wrong with the answer; nothing if it is right."""
    try:
        answers = session.run(request.signature, request.inputs)
    except ExportError as error:
        named = any(words in str(error) for words in request.refused)
        ours = any(words in str(error) for words in (REFUSED, *LOADER))
        right = named and ours and error.code in (None, INVALID_ARGUMENT)
        return "" if right else f"refused: {error}"
    if request.refused and not request.or_answered:
        return "answered"
    rows = max(map(len, request.inputs.values()))
    outputs = session.signatures[request.signature].outputs
    return "".join(check(name, values, rows, outputs[name]) for name, values in answers.items())


def check(name, values, rows, described):
    """What is wrong with the values of an output; nothing if they are right."""
    shape = [size.size for size in described.tensor_shape.dim]
    open_to = [
        given if size == -1 else size for size, given in zip(shape, values.shape, strict=False)
    ]
    if len(shape) != values.ndim or values.shape != (rows, *open_to[1:]):
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
def small(request, tmp_path):
    """The export of a small model of a task."""
    name, changes = SMALL[request.param]
    if name.startswith("tiny"):
        request.getfixturevalue(name if name == "tiny_net" else "tiny_reader")
    room, _ = registry.find(name)
    identity = spec.ModelSpec.of(room)
    if request.param == "fill-mask":
        identity = ModelSpec.of_pretraining(room)
    return saved_model.export(building.build(identity, **changes), tmp_path)


@pytest.mark.parametrize("small", SMALL, indirect=True)
def test_bad_requests_are_refused_and_odd_ones_answered(small):
    assert ask_all(small, SHARE) == []


def test_so_are_those_to_a_table(table):
    _, version = table
    assert ask_all(version, SHARE) == []


@pytest.mark.by_hand
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", EVERY)
def test_a_thousand_bad_requests(name, tmp_path):
    room, _ = registry.find(name.split()[0])
    if name in registry.list_models():
        model = loading.get(name, weights="default" if room.entry.weights else None)
    else:
        model = building.build(ModelSpec.of_pretraining(room))
    assert ask_all(saved_model.export(model, tmp_path), ALL) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("carat", np.nan, None),
        ("x", 0, None),
        ("cut", "Rough", None),
        ("carat", np.inf, "carat'?, row 1: expected a finite number"),
        ("depth", -np.inf, "depth'?, row 1: expected a finite number"),
        ("x", 1e39, "x'?, row 1: expected a finite number"),  # float32 has none so large
        ("carat", -1e30, "row 1 has no finite answer: carat -1e.30, "),
    ],
)
def test_the_pipeline_and_an_export_take_the_same_tables(name, value, sentence, row, table):
    """NaN is missing; infinity is an error, and so is a row to which there is no finite answer."""
    model, version = table
    rows = [row, {**row, name: value}]
    with np.errstate(over="ignore"):
        columns = {one: np.array([cells[one] for cells in rows]) for one in row}
        columns |= {one: v.astype("float32") for one, v in columns.items() if v.dtype.kind == "f"}
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
    first, second, other = (
        [request.about for request in itertools.islice(requests(examples, seed), 50)]
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other
