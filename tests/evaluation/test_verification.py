import helpers
import pytest
from msgspec import structs

from keras_fm import registry
from keras_fm.errors import UnknownNameError, WeightsError
from keras_fm.evaluation import flops, verification
from keras_fm.models import loading

PRETRAINED = [
    f"{name}.{tag}"
    for name in registry.list_models(pretrained=True)
    for tag in registry.info(name).weights
]


def failed(report):
    return [check.name for check in report.checks if not check.passed]


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_a_correct_record_passes(tiny_net, no_tfds, storage):
    helpers.write_weights(tiny_net, storage=storage)
    report = verification.verify("tiny_net")
    assert report.passed, str(report)
    assert {check.name for check in report.checks} == {
        "file size", "sha256", "recipe sha256", "parameters", "FLOPs", "accuracy",
        "accuracy, mirror TTA",
    }  # fmt: skip
    assert "measured on bundled sample of 256" in str(report)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("file_size", "file size"),
        ("num_parameters", "parameters"),
        ("flops", "FLOPs"),
        ("recipe_sha256", "recipe sha256"),
    ],
)
def test_a_wrong_claim_fails_alone(tiny_net, no_tfds, field, name):
    helpers.write_weights(tiny_net, **{field: "1" * 64 if "sha" in field else 200})
    report = verification.verify("tiny_net.first")
    assert failed(report) == [name]
    assert not report.passed
    assert str(report).count("DRIFT") == 1


def test_other_initial_weights_fail(tiny_net, no_tfds):
    helpers.write_weights(tiny_net, init_from_sha256="1" * 64)
    entry = tiny_net / "entry.toml"
    entry.write_text(f'init_from = "cifar_cnn_basic"\n{entry.read_text()}')
    registry.clear_cache()
    assert failed(verification.verify("tiny_net")) == ["sha256 of cifar_cnn_basic"]


@pytest.mark.parametrize("is_same", [True, False])
def test_another_teacher_fails(is_same, tiny_net, no_tfds):
    teacher = "cifar_cnn_basic.v1"
    digest = registry.weights_of(teacher).sha256 if is_same else "1" * 64
    helpers.write_weights(tiny_net, teacher=teacher, teacher_sha256=digest)
    failures = [] if is_same else [f"sha256 of {teacher}"]
    assert failed(verification.verify("tiny_net")) == failures


def test_another_pretraining_fails():
    package, _ = registry.find("mini_bert")
    record = structs.replace(package.entry.weights["v1"], pretraining_sha256="1" * 64)
    [check] = verification._initial_weights(package, record)
    assert check.name == "pretraining recipe sha256"
    assert not check.passed


@pytest.mark.parametrize(
    ("measured", "claims"),
    [
        ({"accuracy": 0.1005, "accuracy_tta": 0.0995}, []),
        ({"accuracy": 0.1007}, ["accuracy"]),
        ({"accuracy_tta": 0.0}, ["accuracy, mirror TTA"]),
        ({"num_examples": 9_999}, ["test examples"]),
    ],
)
def test_accuracy_may_differ_by_five_of_10000_images(tiny_net, monkeypatch, measured, claims):
    helpers.write_weights(tiny_net)
    metrics = {"accuracy": 0.1, "accuracy_tta": 0.1, "num_examples": 10_000, "data": "cifar10 test"}
    monkeypatch.setattr(verification.datasets, "is_prepared", lambda dataset: True)
    monkeypatch.setattr(verification, "evaluate", lambda model, split: metrics | measured)
    report = verification.verify("tiny_net")
    assert failed(report) == claims
    assert report.data == "cifar10 test"


@pytest.mark.parametrize(("is_prepared", "split"), [(True, "test"), (False, "sample")])
def test_metrics_are_measured_on_the_test_split_where_it_is_here(
    tiny_net, monkeypatch, is_prepared, split
):
    helpers.write_weights(tiny_net)
    metrics = {"accuracy": 0.1, "accuracy_tta": 0.1, "num_examples": 10_000, "data": "x"}
    splits = []
    monkeypatch.setattr(verification.datasets, "is_prepared", lambda dataset: is_prepared)
    monkeypatch.setattr(
        verification, "evaluate", lambda model, split: splits.append(split) or metrics
    )
    verification.verify("tiny_net")
    assert splits == [split]


@pytest.mark.parametrize(("off_by", "passes"), [(1, True), (2, False)])
def test_accuracy_on_the_sample_may_differ_by_one_image(
    tiny_net, no_tfds, monkeypatch, off_by, passes
):
    helpers.write_weights(tiny_net, sample_metrics={"accuracy": 0.5, "accuracy_tta": 0.5})
    metrics = {
        "accuracy": 0.5 + off_by / 256,
        "accuracy_tta": 0.5,
        "num_examples": 256,
        "data": "x",
    }
    monkeypatch.setattr(verification, "evaluate", lambda model, split: metrics)
    assert failed(verification.verify("tiny_net")) == ([] if passes else ["accuracy"])


def test_a_file_with_another_sha256_is_not_loaded(tiny_net, no_tfds):
    helpers.write_weights(tiny_net, sha256="1" * 64)
    with pytest.raises(WeightsError, match="expected 111111111111"):
        verification.verify("tiny_net")


def test_a_model_without_weights_is_an_error(tiny_net):
    with pytest.raises(UnknownNameError, match="'tiny_net' has no pretrained weights"):
        verification.verify("tiny_net")


def test_flops_count_a_multiply_add_as_two(tiny_net):
    model = loading.get("tiny_net", weights=None)
    counted = flops.count_flops(model)
    convolution, dense = 2 * 8 * 8 * 4 * 27, 2 * 4 * 10
    assert convolution + dense < counted < 1.5 * (convolution + dense) + 3 * 32 * 32 * 2


SLOW = ("lstm.", *helpers.THOROUGH)
BY_HAND = ("char_lstm_reviews.", "gan.", "mini_bert.mlm")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[pytest.mark.by_hand] * name.startswith(BY_HAND)
            + [pytest.mark.thorough] * name.startswith(SLOW),
        )
        for name in PRETRAINED
    ],
)
def test_the_zoos_claims_hold_on_the_sample(name, no_tfds):
    report = verification.verify(name)
    assert report.passed, str(report)


# Verified by hand: gan trains a classifier, the others take a minute or more.
LONG = ("char_lstm", "cifar_cnn.", "gan.", "lstm.", "mini_bert.")


@pytest.mark.full_data
@pytest.mark.parametrize("name", [n for n in PRETRAINED if not n.startswith(LONG)])
def test_the_zoos_claims_hold_on_the_test_split(name):
    report = verification.verify(name)
    assert report.passed, str(report)
    assert "test" in report.data
    assert "sample" not in report.data
