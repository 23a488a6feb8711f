import hashlib

import helpers
import numpy as np
import pytest
from msgspec import structs

from keras_fm import registry
from keras_fm.calibration.calibration import save_calibration
from keras_fm.calibration.fitting import fit_calibration
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, DataWarning, InvalidInputError, SchemaError
from keras_fm.evaluation import calibrating, calibration_claims
from keras_fm.evaluation.calibration_metrics import check_sources
from keras_fm.evaluation.evaluation import evaluate
from keras_fm.evaluation.out_of_distribution import load_inputs
from keras_fm.models import loading
from keras_fm.models.spec import spec_of
from keras_fm.registry.entry import CalibrationClaims, load_entry
from keras_fm.registry.metrics import CALIBRATION_METRICS


def sample():
    return datasets.sample("cifar10")


def test_a_classifier_tells_its_data_from_others():
    model, examples = loading.get("cifar_cnn_basic"), sample()
    gray = Examples(np.full((5, 8, 8, 1), 128, np.uint8), np.zeros(5, int), "gray images")
    plain = evaluate(model, data=examples)
    metrics = evaluate(model, data=examples, out_of_distribution=["noise", gray])
    assert {name: metrics[name] for name in plain} == plain
    assert list(metrics["out_of_distribution"]) == ["noise", "gray images"]
    values = metrics["calibration"]
    assert values["cross_entropy"] == pytest.approx(plain["cross_entropy"], abs=1e-5)
    assert "calibrated_cross_entropy" not in values
    assert sum(row["num_examples"] for row in values["reliability"]) == 256


def test_a_calibrated_model_is_measured_before_and_after():
    half = sample().subset(slice(128), "first half"), sample().subset(slice(128, 256), "rest")
    model = loading.get("cifar_cnn_basic")
    calibration = calibrating.calibrate(model, half[0], 0.8)
    model = loading.with_calibration(model, calibration)
    metrics = evaluate(model, data=half[1], calibration=True, out_of_distribution="noise")
    assert set(metrics["calibration"]) >= set(CALIBRATION_METRICS) - {"auroc"}
    assert metrics["calibration"]["set_coverage"] > 0.65
    assert set(metrics["out_of_distribution"]["noise"]) == {
        "auroc", "num_inputs", "in_distribution",
    }  # fmt: skip
    with pytest.warns(DataWarning, match="was calibrated on first half"):
        evaluate(model, data=half[0], calibration=True)


@pytest.mark.parametrize("name", ["tiny_net", "tiny_reader"])
def test_noise_is_what_the_model_takes(request, name):
    request.getfixturevalue(name)
    model = loading.get(name, weights=None)
    examples = helpers.noise() if name == "tiny_net" else Examples([b"a"], np.zeros(1), "a text")
    inputs = load_inputs(model, examples, "noise")
    outputs = spec_of(model).task.predictor.raw_outputs(model, inputs[:3])
    assert outputs.shape == (3, len(spec_of(model).labels))


def test_noise_of_a_table_is_as_wide_as_ten_ranges(tiny_net):
    inputs = {"a": np.arange(100.0), "kind": np.array(["x", "y"] * 50)}
    examples = Examples(inputs, np.zeros(100, int), "rows")
    noise = load_inputs(loading.get("tiny_net", weights=None), examples, "noise")
    assert set(noise["kind"]) == {"x", "y"}
    assert noise["a"].min() < -100
    assert noise["a"].max() > 200


@pytest.mark.parametrize("sources", [[], 3, ()])
def test_other_data_are_named(sources):
    with pytest.raises(InvalidInputError, match="out_of_distribution is 'noise'"):
        check_sources(sources)


def test_a_recipe_that_held_nothing_out_asks_for_data(tiny_net):
    helpers.write_weights(tiny_net)
    recipe = tiny_net / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("validation_examples = 56\n", ""))
    model = loading.get("tiny_net")
    with pytest.raises(DataError, match="trained on all examples of cifar10's training split"):
        calibrating.calibrated_model(model, "tiny_net", 0.9)


def test_what_a_recipe_held_out_is_the_end_of_the_training_split(tiny_net, monkeypatch):
    helpers.write_weights(tiny_net)
    examples = helpers.noise(100, classes=10)
    splits = []
    monkeypatch.setattr(
        datasets, "load", lambda dataset, split: splits.append((dataset, split)) or examples
    )
    model = calibrating.calibrated_model(loading.get("tiny_net"), "tiny_net", 0.8)
    calibration = spec_of(model).calibration
    assert splits == [("cifar10", "train")]
    assert calibration.data == "100 images of noise, last 56"
    assert calibration.num_examples == 28


@pytest.fixture
def claims(tiny_net):
    """A package with a calibration that ships, and its claims."""
    random = np.random.default_rng(0)
    calibration = fit_calibration(
        random.normal(size=(400, 10)), np.arange(400) % 10, 0.9, data="some"
    )
    file = tiny_net / "calibration.first.json"
    save_calibration(calibration, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    claims = CalibrationClaims(
        file=file.name,
        sha256=sha256,
        metrics={"set_coverage": 0.9, "mean_set_size": 5.0},
        auroc={"noise": 0.8},
    )
    helpers.write_weights(tiny_net)
    entry = tiny_net / "entry.toml"
    entry.write_text(
        f'{entry.read_text()}\n[weights.first.calibration]\nfile = "{file.name}"\n'
        f'sha256 = "{sha256}"\nmetrics = {{ set_coverage = 0.9, mean_set_size = 5.0 }}\n'
        "auroc = { noise = 0.8 }\n"
    )
    registry.clear_cache()
    return claims


MEASURED = {
    "num_examples": 1000,
    "calibration": {"set_coverage": 0.9, "mean_set_size": 5.0},
    "out_of_distribution": {"noise": {"auroc": 0.8}},
}


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"mean_set_size": 5.1}, ["mean size of prediction sets"]),
        ({"set_coverage": 0.7}, ["coverage of prediction sets", "coverage that was chosen"]),
        ({"auroc": 0.7}, ["AUROC against noise"]),
    ],
)
def test_each_claim_is_compared(claims, changes, failed):
    package, _ = registry.find("tiny_net")
    assert package.entry.weights["first"].calibration == claims
    auroc = {"noise": {"auroc": changes.get("auroc", 0.8)}}
    measured = MEASURED | {"calibration": MEASURED["calibration"] | changes}
    measured["out_of_distribution"] = auroc
    checks = [*calibration_claims.check_claims(package, claims, measured)]
    assert [name for name, _, _, passed in checks if not passed] == failed
    assert [passed for *_, passed in calibration_claims.check_file(package, claims)] == [True]


def test_data_that_are_not_here_are_left_out(claims, monkeypatch):
    claims = structs.replace(claims, auroc={"noise": 0.8, "fashion_mnist": 0.5})
    monkeypatch.setattr(datasets, "is_prepared", lambda name: False)
    assert calibration_claims.missing_data(claims) == ["fashion_mnist"]
    options = calibration_claims.evaluate_options(claims)
    assert options == {"calibration": True, "out_of_distribution": ["noise"]}
    assert calibration_claims.evaluate_options(None) == {}


def test_a_calibration_that_ships_is_taken(claims):
    model = calibrating.calibrated_model(loading.get("tiny_net"), "tiny_net", 0.9)
    assert spec_of(model).calibration.data == "some"
    assert spec_of(loading.get("tiny_net")).calibration is None  # not requested
    examples = helpers.noise(40, classes=10)
    metrics = evaluate("tiny_net", data=examples, calibration=True)
    assert metrics["calibration"]["calibrated_on"] == "some"


@pytest.mark.parametrize(("name", "value"), [("set_coverage", 1.5), ("coverage", 0.9)])
def test_a_wrong_claim_is_no_entry(claims, tiny_net, name, value):
    entry = tiny_net / "entry.toml"
    entry.write_text(entry.read_text().replace("set_coverage = 0.9", f"{name} = {value}"))
    with pytest.raises(SchemaError, match=name):
        load_entry(entry)
