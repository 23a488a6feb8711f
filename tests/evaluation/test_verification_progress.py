"""What `verify` says while it measures, and what `quick` leaves out."""

from dataclasses import replace

import helpers
import numpy as np
import pytest

from keras_fm import cli, progress, registry
from keras_fm.data import datasets
from keras_fm.errors import UnknownNameError
from keras_fm.evaluation import durations, evaluation, verification
from keras_fm.formatting import format_duration
from keras_fm.models import loading
from keras_fm.registry.metrics import METRICS
from keras_fm.tasks.base import predict
from keras_fm.tasks.image_generation import objective

MEASURED = {"accuracy": 0.1, "accuracy_tta": 0.1, "num_examples": 10_000, "data": "cifar10 test"}


@pytest.fixture
def events(monkeypatch):
    """What happens in what order: `evaluate` with its options, and each claim."""
    events = []

    def evaluate(model, **options):
        events.append(options)
        return MEASURED

    monkeypatch.setattr(verification, "evaluate", evaluate)
    return events


@pytest.fixture
def test_split(monkeypatch):
    monkeypatch.setattr(verification.datasets, "is_prepared", lambda dataset: True)


def test_each_claim_is_handed_on_as_soon_as_it_is_measured(tiny_net, events, no_tfds):
    helpers.write_weights(tiny_net)
    report = verification.verify("tiny_net", on_check=lambda check: events.append(check.name))
    assert [event for event in events if isinstance(event, str)] == [
        check.name for check in report.checks
    ]
    first_metric = events.index({"split": "sample"})
    assert events[:first_metric] == ["file size", "sha256", "recipe sha256", "parameters", "FLOPs"]


@pytest.mark.parametrize(("verbose", "is_said"), [(0, False), (2, True)])
def test_what_is_measured_is_said(capsys, tiny_net, events, test_split, verbose, is_said):
    helpers.write_weights(tiny_net)
    verification.verify("tiny_net", verbose=verbose)
    printed = capsys.readouterr().out
    words = "measuring accuracy, accuracy, mirror TTA on 10,000 test examples\n"
    assert printed == (words if is_said else "")


def test_how_long_it_takes_is_measured_on_the_sample(
    capsys, tiny_net, events, test_split, monkeypatch
):
    helpers.write_weights(tiny_net)
    monkeypatch.setattr(verification, "_SECONDS_OF_FLOPS", 0)
    measured = []

    def evaluate_model(model, examples, *, quick):
        measured.append(len(examples))
        return {}

    monkeypatch.setattr(durations, "evaluate_model", evaluate_model)
    seconds = iter([10.0, 12.0])  # of the second call, the first one compiles
    monkeypatch.setattr(durations.time, "perf_counter", lambda: next(seconds))
    verification.verify("tiny_net", verbose=2)
    printed = capsys.readouterr().out
    count = len(datasets.sample("cifar10"))
    assert measured == [count, count]
    duration = format_duration(2.0 * 10_000 / count)
    assert f"examples: about {duration}, by the time of the bundled sample\n" in printed
    verification.verify("tiny_net", verbose=0)
    assert len(measured) == 2, "what is not said is not measured"


@pytest.mark.parametrize(("num_gpus", "is_estimated"), [(0, True), (1, False)])
def test_a_generators_classifier_is_announced_with_its_minutes(num_gpus, is_estimated, monkeypatch):
    monkeypatch.setattr(durations, "gpus", lambda: ["a GPU"] * num_gpus)
    monkeypatch.setattr(durations, "num_cores", lambda: 2)
    announced = durations.classifier_training("fashion_cnn")
    assert announced.startswith("fashion_cnn is trained on 60,000 generated images, in 3 epochs")
    assert announced.endswith(
        "up to 35 minutes on 2 CPU cores, by its floating-point operations"
    ) == (is_estimated)


def test_a_generators_claims_are_announced(tiny_gan, capsys, events, test_split, monkeypatch):
    monkeypatch.setattr(verification.durations, "classifier_training", lambda name: f"{name}, 9 h")
    package, _ = registry.find("gan")
    record = package.entry.weights_of(None)
    model = loading.get("gan", weights=None)
    verification._announce(model, record, record.metrics)
    measured, trained = capsys.readouterr().out.splitlines()
    assert measured.startswith("measuring classification accuracy score, evaluator accuracy")
    assert trained == "for the classification accuracy score, last of all, fashion_cnn, 9 h"


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_log_file_says_how_long_a_training_takes(verbose, capsys, monkeypatch):
    seconds = iter(range(0, 1000, 3))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    note = progress.DurationNote("training a_net")
    note.set_params({"steps": 100, "epochs": 3})
    with progress.verbosity(verbose):
        for batch in range(9):
            note.on_train_batch_end(batch)
    printed = capsys.readouterr().out
    expected = "training a_net: about 15 minutes, by its first 4 steps\n"
    assert printed == (expected if verbose == 2 else "")


def test_a_claim_that_a_model_is_trained_for_is_left_out_where_it_is_quick(
    tiny_net, events, test_split, monkeypatch
):
    helpers.write_weights(tiny_net)
    trained = replace(METRICS["accuracy_tta"], needs_training=True)
    monkeypatch.setitem(METRICS, "accuracy_tta", trained)
    report = verification.verify("tiny_net", quick=True)
    assert events == [{"split": "test", "quick": True}]
    assert "accuracy, mirror TTA" not in [check.name for check in report.checks]
    assert report.left_out == ("accuracy, mirror TTA",)
    assert "left out, for they take minutes: accuracy, mirror TTA" in str(report)


@pytest.mark.parametrize(("flops_are_many", "split"), [(False, "test"), (True, "sample")])
def test_the_sample_stands_for_a_test_split_that_takes_minutes(
    tiny_net, events, test_split, monkeypatch, flops_are_many, split
):
    helpers.write_weights(tiny_net)
    if flops_are_many:
        monkeypatch.setattr(verification, "_MINUTES_OF_FLOPS", 0)
    report = verification.verify("tiny_net", quick=True)
    assert events == [{"split": split, "quick": True}]
    assert bool(report.left_out) == flops_are_many
    assert all("test examples, in place of the sample" in words for words in report.left_out)


@pytest.mark.parametrize(
    ("name", "takes_minutes"),
    [("cifar_cnn_basic", False), ("fashion_cnn", False), ("mlp", False), ("gan", False),
     ("lstm", True), ("mini_bert", True)],
)  # fmt: skip
def test_which_models_take_minutes(name, takes_minutes):
    package, _ = registry.find(name)
    assert verification._takes_minutes(package, package.entry.weights_of(None)) == takes_minutes


def test_other_claims_do_not_wait_for_a_training(tiny_net, test_split, monkeypatch):
    helpers.write_weights(tiny_net)
    monkeypatch.setitem(METRICS, "accuracy", replace(METRICS["accuracy"], needs_training=True))
    events = []

    def evaluate(model, split, on_metrics):
        on_metrics({"accuracy_tta": 0.1})
        events.append("training")
        return MEASURED

    monkeypatch.setattr(verification, "evaluate", evaluate)
    report = verification.verify("tiny_net", on_check=lambda check: events.append(check.name))
    assert events[-4:] == ["accuracy, mirror TTA", "training", "test examples", "accuracy"]
    assert len(report.checks) == len(events) - 1


def test_a_generators_classifier_needs_training():
    names = [name for name, metric in METRICS.items() if metric.needs_training]
    assert names == ["classification_accuracy_score"]


class Evaluator:
    """In place of a classifier of the zoo; it says what it was trained on."""

    def __init__(self, name=""):
        self.num_trained_on = 0

    def predict_with_features(self, images):
        return np.zeros(len(images), int), images.reshape(len(images), -1)[:, :4].astype("float64")

    def train_on_generated(self, generated, images):
        self.num_trained_on = len(generated)
        return np.zeros(len(images), int)


@pytest.mark.parametrize("quick", [False, True])
def test_a_quick_evaluation_of_a_generator_trains_no_classifier(tiny_gan, monkeypatch, quick):
    for name in ("NUM_GENERATED", "NUM_COMPARED"):
        monkeypatch.setattr(objective, name, 20)
    monkeypatch.setattr(objective, "MIN_EXAMPLES", 10)
    evaluator = Evaluator()
    monkeypatch.setattr(evaluation, "GeneratorEvaluator", lambda name: evaluator)
    monkeypatch.setattr(objective.datasets, "is_prepared", lambda *_: False)
    model = loading.get("tiny_gan", weights=None)
    early = []
    metrics = evaluation.evaluate(
        model, data=helpers.noise(20), quick=quick, on_metrics=early.append
    )
    assert "evaluator_accuracy" in early[0]
    assert "classification_accuracy_score" not in early[0]
    assert evaluator.num_trained_on == (0 if quick else 20)
    assert ("classification_accuracy_score" in metrics) != quick
    assert {"evaluator_accuracy", "frechet_distance"} <= set(metrics)


def test_the_command_prints_each_claim_and_what_is_left_out(
    capsys, tiny_net, events, no_tfds, monkeypatch
):
    helpers.write_weights(tiny_net)
    monkeypatch.setattr(registry, "list_models", lambda pretrained: ["tiny_net"])
    for arguments in (["tiny_net"], ["--all"], ["--quick"]):
        code = cli.main(["verify", *arguments])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "tiny_net"
        assert lines[1].split() == ["claim", "claimed", "measured"]
        assert lines[2].split()[:2] == ["file", "size"]
        assert lines[-1] == "measured on cifar10 test"
        assert code == int("DRIFT" in "".join(lines))
    monkeypatch.setattr(registry, "list_models", lambda pretrained: ["tiny_net", "tiny_net"])
    cli.main(["verify", "--all"])
    assert capsys.readouterr().out.startswith("2 models: tiny_net, tiny_net\n\ntiny_net\nclaim")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "expected a model or a run directory; --all verifies all"),
     (["gan", "--all"], "--all verifies every pretrained model: name none")],
)  # fmt: skip
def test_all_models_are_asked_for(capsys, arguments, message):
    assert cli.main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_verify_and_evaluate_refuse_another_verbose():
    with pytest.raises(ValueError, match="verbose is 'auto', 0, 1 or 2"):
        evaluation.evaluate("cifar_cnn_basic", verbose=7)
    with pytest.raises(UnknownNameError):
        evaluation.evaluate("cifar_cnn_basic", verbos=0)


def test_a_long_evaluation_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(predict, "PREDICT_BATCH_SIZE", 50)
    for verbose, is_shown in ((1, True), (2, False), (0, False)):
        evaluation.evaluate("linear_regression", split="sample", verbose=verbose)
        assert ("predictions of linear_regression" in capsys.readouterr().out) == is_shown
