"""What entries claim of slices, calibration and robustness: written, measured again, shown."""

import re

import helpers
import pytest
from msgspec import structs

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError, SchemaError
from keras_fm.evaluation import robustness, slice_claims, verification
from keras_fm.evaluation.arguments import corrupted_group
from keras_fm.evaluation.corruptions.names import CORRUPTIONS
from keras_fm.models import loading
from keras_fm.models.spec import spec_of
from keras_fm.registry.entry import RobustnessClaims, load_entry
from keras_fm.registry.tasks import is_classification

CLASSIFIERS = [
    name
    for name in registry.list_models(pretrained=True)
    if is_classification(registry.info(name).task)
]


CLAIMS = """
[weights.first.slices]
label = { cat = 0.5, airplane = 0.75 }

[weights.first.robustness]
num_examples = 30
uncorrupted = 0.7

[weights.first.robustness.corrupted]
pixelate = [0.6, 0.5, 0.4, 0.3, 0.2]
typos = [0.5, 0.5, 0.5, 0.5, 0.5]
"""


@pytest.fixture
def entry_file(tiny_net):
    """The entry of `tiny_net` with claims that nobody measured."""
    helpers.write_weights(tiny_net)
    entry = tiny_net / "entry.toml"
    entry.write_text(f"{entry.read_text()}{CLAIMS}")
    return entry


def failed(report):
    """Return the claims beside the metrics that were not confirmed."""
    return [
        check.name
        for check in report.checks
        if not check.passed and check.name not in ("accuracy", "accuracy, mirror TTA")
    ]


@pytest.mark.thorough
def test_the_tool_writes_what_verify_measures_again(tiny_net, tools, monkeypatch):
    helpers.write_weights(tiny_net, num_examples=120)
    monkeypatch.setattr(datasets, "is_prepared", lambda dataset: True)
    monkeypatch.setattr(datasets, "load", lambda dataset, split: helpers.noise(120, classes=10))
    claims = ["slices", "calibration", "robustness"]
    tools("release_claims").release("tiny_net", claims, 0.8, ["noise"], corrupted=30)
    registry.clear_cache()
    record = registry.info("tiny_net").weights["first"]
    assert set(record.slices) == {"label", "brightness"}
    assert len(record.slices["label"]) == 10
    assert record.robustness.num_examples == 30
    assert tuple(record.robustness.corrupted) == CORRUPTIONS["images"]
    assert record.calibration.auroc.keys() == {"noise"}
    report = verification.verify("tiny_net")
    assert failed(report) == []
    names = {check.name for check in report.checks}
    assert {"accuracy of label cat", "robustness: jpeg_compression", "calibration sha256"} <= names
    assert "mean corruption accuracy" in names

    entry = tiny_net / "entry.toml"
    text = re.sub(r"(?m)^cat = .*", "cat = 0.77", entry.read_text())
    entry.write_text(re.sub(r"(?m)^pixelate = \[[\d.]+", "pixelate = [0.77", text))
    registry.clear_cache()
    assert failed(verification.verify("tiny_net")) == [
        "accuracy of label cat", "robustness: pixelate", "mean corruption accuracy",
    ]  # fmt: skip


def test_a_quick_verify_leaves_out_what_needs_all_test_examples(entry_file, no_tfds):
    report = verification.verify("tiny_net", quick=True)
    assert report.passed
    assert "claimed of slices, robustness on all test examples" in str(report)


def test_each_severity_is_compared():
    claims = RobustnessClaims(
        num_examples=1000, uncorrupted=0.9, corrupted={"typos": [0.9, 0.8, 0.7, 0.6, 0.5]}
    )
    assert claims.mean_accuracy == pytest.approx(0.7)
    # A severity that gains what another one loses has the same mean.
    changed = structs.replace(claims, corrupted={"typos": [0.9, 0.8, 0.72, 0.58, 0.5]})
    assert not [name for name, *_, ok in robustness.check_robustness(claims, claims) if not ok]
    checks = [*robustness.check_robustness(claims, changed)]
    assert [name for name, *_, ok in checks if not ok] == ["robustness: typos"]
    fewer = structs.replace(claims, num_examples=500)
    checks = [*robustness.check_robustness(claims, fewer)]
    assert [name for name, *_, ok in checks if not ok] == ["robustness: examples"]


def test_a_slice_that_is_not_there_fails():
    measured = {"slices": {"length": {"1 to 9": {"accuracy": 0.5, "num_examples": 1000}}}}
    claims = slice_claims.slices_to_claim(measured)
    assert claims == {"length": {"1 to 9": 0.5}}
    assert [ok for *_, ok in slice_claims.check_slices(claims, measured)] == [True]
    claims = {"length": {"1 to 9": 0.503, "10 to 19": 0.5}}
    assert [ok for *_, ok in slice_claims.check_slices(claims, measured)] == [False, False]


def test_robustness_of_texts_is_that_of_corrupted_texts(tiny_reader):
    model = loading.get("tiny_reader", weights=None)
    examples = datasets.sample("imdb_reviews").subset(slice(8), "reviews")
    measured = robustness.measure_robustness(model, examples, ["typos"])
    assert list(measured.corrupted) == ["typos"]
    assert {*measured.corrupted["typos"]} <= {count / 8 for count in range(9)}


def test_claims_of_a_regression_are_refused(tools):
    with pytest.raises(InvalidInputError, match="linear_regression"):
        tools("release_claims").release("linear_regression", ["slices"])
    entry = helpers.ROOT / "zoo" / "linear_regression" / "entry.toml"
    assert "slices" not in entry.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("uncorrupted = 0.7", "uncorrupted = 1.7", "robustness.uncorrupted"),
        ("typos = [", "typos = [0.5, ", "robustness.corrupted"),  # six severities
        ("cat = 0.5", "cat = 50", "slices"),
    ],
)
def test_a_wrong_claim_is_no_entry(entry_file, old, new, field):
    assert old in entry_file.read_text()
    entry_file.write_text(entry_file.read_text().replace(old, new))
    with pytest.raises(SchemaError, match=field):
        load_entry(entry_file)


def test_slices_of_a_regression_are_no_entry(tmp_path):
    text = (helpers.ROOT / "zoo" / "linear_regression" / "entry.toml").read_text("utf-8")
    entry = tmp_path / "linear_regression" / "entry.toml"
    entry.parent.mkdir()
    entry.write_text(f"{text}\n[weights.v1.slices]\ncut = {{ Fair = 0.5 }}\n", "utf-8")
    with pytest.raises(SchemaError, match=r"'slices': expected none but of a classifier"):
        load_entry(entry)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_each_released_classifier_has_all_claims(name):
    record = registry.info(name).weights_of()
    model = loading.get(name, weights=None)
    assert [*record.slices] == [*spec_of(model).task.objective.slices]
    assert set(record.slices["label"]) == set(registry.info(name).labels)
    group = corrupted_group(registry.info(name).task)
    assert tuple(record.robustness.corrupted) == CORRUPTIONS[group]
    assert record.calibration is not None


def test_a_card_has_tables_of_slices_and_of_robustness(entry_file, tools):
    entry = load_entry(entry_file)
    tables = tools("claim_tables")
    assert tables.slices_table(entry.weights_of()).splitlines() == [
        "| Slices by | Accuracy, the worst slice first |",
        "| --- | --- |",
        "| `label` | cat: 50.00%, airplane: 75.00% |",
    ]
    assert tables.robustness_table(entry.weights_of()).splitlines() == [
        "| Corruption, by severity | 1 | 2 | 3 | 4 | 5 | mean |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| `pixelate` | 60.0% | 50.0% | 40.0% | 30.0% | 20.0% | 40.0% |",
        "| `typos` | 50.0% | 50.0% | 50.0% | 50.0% | 50.0% | 50.0% |",
        "| all |  |  |  |  |  | 45.0% |",
        "| uncorrupted |  |  |  |  |  | 70.0% |",
    ]
    without = structs.replace(entry.weights_of(), slices={}, robustness=None)
    assert tables.slices_table(without) == tables.robustness_table(without) == ""
