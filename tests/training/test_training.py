import csv
import json
import re
import tomllib

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, RunError, SchemaError, UnknownNameError
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs, runs, training


def metrics_history(run):
    """The history without the seconds, which are never twice the same."""
    return {name: values for name, values in run.history.items() if name != "seconds"}


def tags_of(run):
    """The names of what TensorBoard shows."""
    tags = set()
    for folder in ("train", "validation"):
        by_kind = tensorboard_logs.read_events(run.path / "logs" / folder).Tags()
        tags.update(*(by_kind[kind] for kind in ("scalars", "images", "tensors")))
    return tags


def spec_of_package(name):
    package, _ = registry.find(name)
    return ModelSpec.of(package)


def test_a_run_directory_has_all_files(small_run):
    assert {path.name for path in small_run.path.iterdir()} == {
        "recipe.toml", "run.json", "logs", "history.csv", "model.weights.h5", "result.json",
        "training_digests.npy",
    }  # fmt: skip


def test_the_run_has_the_resolved_recipe(small_run):
    resolved = tomllib.loads((small_run.path / "recipe.toml").read_text())
    default = spec_of_package("cifar_cnn_basic").task.default_recipe()
    assert resolved == default.override(epochs=1, validation_examples=56, batch_size=8).to_dict()


@pytest.mark.parametrize(
    ("overrides", "epochs", "epochs_per_pass"),
    [({}, 3, 1), ({"epochs": 12}, 12, 1), ({"epochs": 12, "epochs_per_pass": 4}, 12, 4),
     ({"epochs_per_pass": 6}, 12, 6)],
)  # fmt: skip
def test_an_epoch_of_other_data_is_one_pass_unless_overridden(
    overrides, epochs, epochs_per_pass, tiny_reader
):
    file = tiny_reader / "recipe.toml"
    text = file.read_text().replace("epochs = 2", "epochs = 12")
    file.write_text(text + "epochs_per_pass = 4\n")
    package, _ = registry.find("tiny_reader")
    options = {"target": None, "problem_type": None, "seed": 0, "overrides": overrides}
    sample_job = jobs.training_job(package, data="sample", **options)
    recipe = sample_job.recipe
    assert (recipe.epochs, recipe.epochs_per_pass) == (epochs, epochs_per_pass)
    # Examples are taken as the recipe's own data.
    examples = datasets.sample("imdb_reviews")
    job = jobs.training_job(package, data=examples, **options)
    recipe = ModelSpec.of(package).task.default_recipe()
    assert job.recipe == recipe.override(**overrides, dataset="yours")


def test_run_json_says_what_the_run_is(small_run):
    run_info = json.loads((small_run.path / "run.json").read_text())
    assert run_info["model"] == "cifar_cnn_basic"
    assert run_info["labels"] == registry.info("cifar_cnn_basic").labels
    assert run_info["data"] == "bundled sample of 256 cifar10 test examples, first 200"
    assert run_info["seed"] == 0
    assert run_info["environment"]["keras"] == keras.__version__
    assert run_info["environment"]["precision"] == "float32"
    assert run_info["environment"]["backend"].startswith(keras.backend.backend())


def test_the_history_has_a_row_per_epoch(small_run):
    history = small_run.history
    assert history["epoch"] == [0]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history)
    assert 0 < history["loss"][0] < 10


def test_the_minutes_are_those_of_all_epochs(small_run):
    assert small_run.minutes == pytest.approx(sum(small_run.history["seconds"]) / 60)


def test_the_metrics_are_of_the_validation_examples(small_run):
    assert set(small_run.metrics) == {"accuracy", "accuracy_tta", "cross_entropy"}
    assert small_run.metrics["accuracy"] == pytest.approx(small_run.history["val_accuracy"][0])
    assert small_run.metrics["cross_entropy"] == pytest.approx(
        small_run.history["val_loss"][0], rel=1e-4
    )
    result = json.loads((small_run.path / "result.json").read_text())
    assert result == {
        "metrics": small_run.metrics,
        "baseline": small_run.baseline,
        "minutes": small_run.minutes,
        "ending": "the one epoch was run; the weights are those of the last epoch",
        "num_validation": 56,
        "per_class": small_run.per_class,
        "steps_per_epoch": 25,
    }


def test_the_report_has_model_data_seed_and_metrics(small_run):
    report = small_run.report()
    accuracy = f"accuracy {small_run.metrics['accuracy']:.4f}"
    for part in ("cifar_cnn_basic", "bundled sample", "seed 0", accuracy, str(small_run.path)):
        assert part in report


def test_a_run_is_loaded_with_the_same_model(small_run):
    loaded = runs.load_run(small_run.path)
    assert helpers.same_weights(loaded.model, small_run.model)
    assert (loaded.metrics, loaded.minutes) == (small_run.metrics, small_run.minutes)
    assert spec_of(loaded.model) == spec_of(small_run.model)


def test_tensorboard_shows_losses_inputs_and_results(small_run):
    expected = {
        "1_loss/loss", "2_metrics/accuracy", "3_optimizer/learning_rate",
        "4_speed/images_per_second", "5_result/accuracy", "6_pictures/confusion_matrix",
        "7_inputs/augmented_inputs", "3_recipe",
    }  # fmt: skip
    assert expected - tags_of(small_run) == set()


@pytest.mark.parametrize("kind", ["run", "folder", "file"])
def test_an_existing_run_directory_is_never_written_into(kind, small_run, tmp_path):
    path = small_run.path if kind == "run" else tmp_path / "run"
    if kind == "folder":
        path.mkdir()
        (path / "mine").write_text("mine")
    elif kind == "file":
        path.write_text("mine")
    files = helpers.snapshot(path.parent)
    with pytest.raises(RunError, match=f"{path.name} exists; name another"):
        helpers.train_small(path)
    assert helpers.snapshot(path.parent) == files


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, SchemaError, "field 'epochs'.*received 0"),
        ({"epochs": "many"}, SchemaError, "field 'epochs'.*received 'many'"),
        ({"epoch": 2}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"validation_examples": 256}, DataError, "has only 256"),
        ({"data": "smaple"}, DataError, "no data set 'smaple'"),
        ({"data": 3}, DataError, "received 3"),
        ({"dataset": "cifar11"}, UnknownNameError, "cifar11"),
        ({"seed": -1}, InvalidInputError, "received -1"),
        ({"seed": "x"}, InvalidInputError, "received 'x'"),
        ({"seed": 2**32}, InvalidInputError, "received 4294967296"),
        ({"data": Examples(np.zeros((99, 28, 28, 3), np.uint8), np.zeros(99, int), "small")},
         DataError, r"\[99, 28, 28, 3\]"),
        ({"data": helpers.noise(120, classes=11)}, DataError, "label"),
    ],
)  # fmt: skip
def test_options_and_data_are_checked_before_anything_is_written(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        helpers.train_small(tmp_path / "run", **options)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar_cnn_basik", "cifar_cnn_basic.tag"])
def test_only_the_name_of_a_model_can_be_trained(name, tmp_path):
    with pytest.raises(UnknownNameError, match=re.escape(name)):
        training.train(name, data="sample", run_dir=tmp_path / "run", validation_examples=56)
    assert not any(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_weights(tiny_net, tmp_path):
    options = {"data": "sample", "batch_size": 100, "flip": "random", "random_translation": 2}

    def train(folder, seed):
        keras.utils.set_random_seed(len(folder))  # the caller's own random numbers do not count
        return training.train("tiny_net", run_dir=tmp_path / folder, seed=seed, **options)

    run, again, other = train("run", 0), train("again", 0), train("other", 1)
    assert helpers.same_weights(run.model, again.model)
    assert not helpers.same_weights(run.model, other.model)
    assert metrics_history(again) == metrics_history(run)


def test_a_step_is_traced_once(tiny_net, tmp_path, monkeypatch):
    train_step, traces = keras.Model.train_step, []

    def traced(model, data):
        traces.append(model)
        return train_step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", traced)
    options = {"validation_examples": 56, "epochs": 1, "optimizer": "adam"}
    training.train("tiny_net", data="sample", run_dir=tmp_path / "run", **options)
    assert len(traces) == 1


def test_a_training_without_validation_has_no_metrics(tiny_net, tmp_path):
    run = training.train("tiny_net", data="sample", run_dir=tmp_path / "run", validation_examples=0)
    assert run.metrics == {}
    assert set(run.history) == {"epoch", "seconds", "accuracy", "loss"}
    assert "tiny_net" in run.report()


def test_a_run_without_run_dir_is_made_under_runs(tiny_net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = training.train("tiny_net", data=helpers.noise(90, classes=10), seed=7)
    (path,) = (tmp_path / "runs").iterdir()
    assert run.path.resolve() == path
    assert path.name.startswith("tiny_net-")
    assert path.name.endswith("-seed7")


@pytest.mark.thorough
def test_the_model_of_a_mixed_precision_run_computes_in_float32(tiny_net, tmp_path):
    run = training.train("tiny_net", data="sample", run_dir=tmp_path / "run", precision="bfloat16")
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    assert run.metrics["cross_entropy"] == pytest.approx(run.history["val_loss"][-1], rel=0.02)
    run_info = json.loads((run.path / "run.json").read_text())
    assert run_info["environment"]["precision"] == "bfloat16"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": "adam"}, marks=pytest.mark.thorough),
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "schedule": "linear",
         "warmup_fraction": 0.2, "flip": "alternating", "random_translation": 2},
    ],
    ids=["adam", "sgd"],
)  # fmt: skip
def test_a_resumed_run_equals_an_uninterrupted_one(changes, tiny_net, uninterrupted_and_resumed):
    # What has to be restored: moments, the schedule's step, augmentation, dropout's seeds.
    code = (tiny_net / "model.py").read_text()
    dropout = '    x = layers.Dropout(0.5, name="dropout")(x)\n    logits ='
    (tiny_net / "model.py").write_text(code.replace("    logits =", dropout))
    uninterrupted, resumed = uninterrupted_and_resumed(
        "tiny_net", 1, epochs=3, batch_size=64, seed=3, **changes
    )
    assert len(set(uninterrupted.history["loss"])) == 3
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert metrics_history(resumed) == metrics_history(uninterrupted)
    assert resumed.metrics == uninterrupted.metrics
    names = [{path.name for path in run.path.iterdir()} for run in (uninterrupted, resumed)]
    assert names[0] == names[1]
    assert "3_optimizer/learning_rate" in tags_of(uninterrupted)


@pytest.mark.thorough
def test_a_run_stopped_in_its_first_epoch_is_resumed_from_the_start(uninterrupted_and_resumed):
    uninterrupted, resumed = uninterrupted_and_resumed(
        "linear_regression", 0, optimizer="adam", validation_examples=0, epochs=1
    )
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert resumed.history["epoch"] == [0]


@pytest.mark.thorough
def test_a_stopped_run_resumes_with_its_own_data_alone(tiny_net, tmp_path, stop_at):
    stop_at(0)
    with pytest.raises(KeyboardInterrupt):
        training.train("tiny_net", data="sample", run_dir=tmp_path / "run", batch_size=64)
    stop_at(None)
    files = helpers.snapshot(tmp_path)
    with pytest.raises(RunError, match="bundled sample"):
        training.train("tiny_net", data=helpers.noise(256), run_dir=tmp_path / "run", resume=True)
    assert helpers.snapshot(tmp_path) == files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "complete; there is nothing to resume"),
        ({"run_dir": None}, "resume=True needs run_dir"),
        ({"run_dir": "no/such/run"}, "no/such/run is no run directory"),
        (
            {"epochs": 3, "flip": "random"},
            "keeps its recipe and its initial weights; leave out epochs, flip",
        ),
    ],
)
def test_what_can_not_be_resumed_is_an_error(options, message, small_run):
    files = helpers.snapshot(small_run.path)
    arguments = {"run_dir": small_run.path, "data": "sample", "resume": True, **options}
    with pytest.raises(RunError, match=message):
        training.train("cifar_cnn_basic", **arguments)
    assert helpers.snapshot(small_run.path) == files


def test_another_models_run_is_not_resumed(small_run, tiny_net):
    with pytest.raises(RunError, match="trains 'cifar_cnn_basic', not 'tiny_net'"):
        training.train("tiny_net", run_dir=small_run.path, resume=True)


def test_a_package_can_adapt_its_model_to_the_training_examples(tiny_net, tmp_path, monkeypatch):
    calls = []
    module = registry.find("tiny_net")[0].module("model")
    monkeypatch.setattr(
        module,
        "adapt",
        lambda model, images: calls.append((model.name, len(images))),
        raising=False,
    )
    training.train("tiny_net", data="sample", run_dir=tmp_path / "run")
    assert calls == [("tiny_net", 205)]


def test_the_model_is_compiled_by_the_recipe(tiny_net):
    recipe = helpers.recipe(optimizer="adamw", learning_rate=0.25, label_smoothing=0.2)
    model = loading.get("tiny_net", weights=None)
    assert task_of(model).objective.compiled_model(model, recipe, steps=10) is model
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.loss.label_smoothing == 0.2


def test_the_schedule_of_a_compiled_model_is_as_long_as_the_training(tiny_net):
    recipe = helpers.recipe(schedule="linear", learning_rate=0.5, warmup_fraction=0.0)
    model = loading.get("tiny_net", weights=None)
    task_of(model).objective.compiled_model(model, recipe, steps=9)
    rates = [float(model.optimizer._learning_rate(step)) for step in range(9)]
    np.testing.assert_allclose(rates, 0.5 * np.arange(9, 0, -1) / 10, rtol=1e-5)


def test_a_training_on_growing_images_gives_a_model_of_the_full_size(tiny_net, tmp_path):
    code = (tiny_net / "model.py").read_text()
    code = code.replace("width: int = 4", "width: int = 4, image_size: int | None = 32")
    code = code.replace("keras.Input((32, 32, 3)", "keras.Input((image_size, image_size, 3)")
    (tiny_net / "model.py").write_text(code)
    run = training.train(
        "tiny_net", data="sample", run_dir=tmp_path / "run", validation_examples=0, epochs=2,
        batch_size=100, image_sizes=[16, 32], image_size_starts=[0.0, 0.5],
    )  # fmt: skip
    assert run.model.input_shape == (None, 32, 32, 3)
    assert len(run.history["loss"]) == 2
    assert all(np.isfinite(run.history["loss"]))


def test_the_history_is_plain_csv(small_run):
    with (small_run.path / "history.csv").open(newline="") as stream:
        header, row = csv.reader(stream)
    assert header[:2] == ["epoch", "seconds"]
    assert len(header) == len(row) == 6


def test_a_training_does_not_change_the_sample(small_run):
    sample = datasets.sample("cifar10")
    with np.load(helpers.ROOT / "keras_fm" / "samples" / "cifar10.npz") as arrays:
        np.testing.assert_array_equal(sample.inputs, arrays["inputs"])
