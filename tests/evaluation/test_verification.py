import helpers
import pytest

from keras_fm import registry
from keras_fm.errors import UnknownNameError, WeightsError
from keras_fm.evaluation import flops, verification
from keras_fm.models import loading
from keras_fm.registry import packages

PRETRAINED = [
    f"{name}.{tag}"
    for name in registry.list_models(pretrained=True)
    for tag in registry.info(name).weights
]


def drifted(report):
    return [check.claim for check in report.checks if not check.passed]


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_a_true_record_holds(tiny_net, no_tfds, storage):
    helpers.write_weights(tiny_net, storage=storage)
    report = verification.verify("tiny_net")
    assert report.passed, str(report)
    assert {check.claim for check in report.checks} == {
        "bytes", "sha256", "recipe sha256", "parameters", "FLOPs", "accuracy",
        "accuracy, mirror",
    }  # fmt: skip
    assert "measured on bundled sample of 256" in str(report)


@pytest.mark.parametrize(
    ("field", "claim"),
    [
        ("bytes", "bytes"),
        ("parameters", "parameters"),
        ("flops", "FLOPs"),
        ("recipe_sha256", "recipe sha256"),
    ],
)
def test_a_false_claim_is_drift(tiny_net, no_tfds, field, claim):
    helpers.write_weights(tiny_net, **{field: "1" * 64 if "sha" in field else 200})
    report = verification.verify("tiny_net.first")
    assert drifted(report) == [claim]
    assert not report.passed
    assert str(report).count("DRIFT") == 1


def test_other_weights_of_the_model_that_it_started_from_are_drift(tiny_net, no_tfds):
    helpers.write_weights(tiny_net, start_sha256="1" * 64)
    entry = tiny_net / "entry.toml"
    entry.write_text(f'start = "cifar_cnn_basic"\n{entry.read_text()}')
    packages.cache_clear()
    assert drifted(verification.verify("tiny_net")) == ["sha256 of cifar_cnn_basic"]


@pytest.mark.parametrize(
    ("measured", "claims"),
    [
        ({"accuracy": 0.1005, "accuracy_tta": 0.0995}, []),
        ({"accuracy": 0.1007}, ["accuracy"]),
        ({"accuracy_tta": 0.0}, ["accuracy, mirror"]),
        ({"examples": 9_999}, ["test examples"]),
    ],
)
def test_accuracy_may_differ_by_five_images(tiny_net, monkeypatch, measured, claims):
    helpers.write_weights(tiny_net)
    scores = {"accuracy": 0.1, "accuracy_tta": 0.1, "examples": 10_000, "data": "cifar10 test"}
    monkeypatch.setattr(verification.data, "is_prepared", lambda dataset: True)
    monkeypatch.setattr(verification.evaluating, "evaluate", lambda model, split: scores | measured)
    report = verification.verify("tiny_net")
    assert drifted(report) == claims
    assert report.data == "cifar10 test"


@pytest.mark.parametrize(("off_by", "holds"), [(1, True), (2, False)])
def test_on_the_sample_one_answer_may_lie_on_the_edge(
    tiny_net, no_tfds, monkeypatch, off_by, holds
):
    helpers.write_weights(tiny_net, sample={"accuracy": 0.5, "accuracy_tta": 0.5})
    scores = {"accuracy": 0.5 + off_by / 256, "accuracy_tta": 0.5, "examples": 256, "data": "x"}
    monkeypatch.setattr(verification.evaluating, "evaluate", lambda model, split: scores)
    assert drifted(verification.verify("tiny_net")) == ([] if holds else ["accuracy"])


def test_a_false_hash_stops_before_the_file_is_loaded(tiny_net, no_tfds):
    helpers.write_weights(tiny_net, sha256="1" * 64)
    with pytest.raises(WeightsError, match="expected 111111111111"):
        verification.verify("tiny_net")


def test_a_model_without_weights_claims_nothing(tiny_net):
    with pytest.raises(UnknownNameError, match="'tiny_net' has no pretrained weights"):
        verification.verify("tiny_net")


def test_flops_count_a_multiply_add_as_two(tiny_net):
    model = loading.get("tiny_net", weights=None)
    counted = flops.count_flops(model)
    convolution, dense = 2 * 8 * 8 * 4 * 27, 2 * 4 * 10
    assert convolution + dense < counted < 1.5 * (convolution + dense) + 3 * 32 * 32 * 2


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_zoos_claims_hold_on_the_sample(name, no_tfds):
    report = verification.verify(name)
    assert report.passed, str(report)


# Verified by hand: of gan a pupil has to be trained, and lstm and mini_bert read for minutes.
LONG = ("gan.", "lstm.", "mini_bert.")


@pytest.mark.full_data
@pytest.mark.parametrize("name", [n for n in PRETRAINED if not n.startswith(LONG)])
def test_the_zoos_claims_hold_on_the_test_split(name):
    report = verification.verify(name)
    assert report.passed, str(report)
    assert "test" in report.data
    assert "sample" not in report.data
