import csv
import json
import re
import tomllib

import helpers
import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, RunError, SchemaError, UnknownNameError
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs, runs, training


def figures(run):
    """The history but for the seconds, which are never twice the same."""
    return {name: values for name, values in run.history.items() if name != "seconds"}


def tags_of(run):
    found = {"scalars": set(), "images": set(), "tensors": set()}
    for folder in ("train", "validation"):
        events = EventAccumulator(str(run.path / "logs" / folder), {"tensors": 0})
        events.Reload()
        for kind, tags in events.Tags().items():
            if kind in found:
                found[kind] |= set(tags)
    return set().union(*found.values())


def test_a_run_directory_has_everything(small_run):
    assert {path.name for path in small_run.path.iterdir()} == {
        "recipe.toml", "run.json", "logs", "history.csv", "model.weights.h5", "result.json",
    }  # fmt: skip


def test_the_resolved_recipe_is_kept(small_run):
    kept = tomllib.loads((small_run.path / "recipe.toml").read_text())
    own = registry.find("cifar_cnn_basic")[0].recipe
    assert kept == own.override(epochs=1, validation_examples=56, batch_size=8).to_dict()


@pytest.mark.parametrize(
    ("chosen", "epochs", "parts"),
    [((), 3, 1), (("epochs",), 12, 1), (("epochs_per_pass",), 12, 4)],
)
def test_an_epoch_of_other_data_visits_all_of_it(chosen, epochs, parts):
    room, _ = registry.find("lstm")
    recipe = (
        ModelSpec.of(room)
        .task.default_recipe()
        .override(epochs=12, epochs_per_pass=4, validation_examples=56)
    )
    lesson = jobs.training_job(room, recipe, 0, "sample", None, None, chosen=chosen)
    assert (lesson.recipe.epochs, lesson.recipe.epochs_per_pass) == (epochs, parts)
    own = jobs.training_job(room, recipe, 0, datasets.sample("imdb_reviews"), None, None, chosen=())
    assert own.recipe == recipe


def test_run_json_says_what_the_run_is(small_run):
    about = json.loads((small_run.path / "run.json").read_text())
    assert about["model"] == "cifar_cnn_basic"
    assert about["labels"] == registry.info("cifar_cnn_basic").labels
    assert about["data"] == "bundled sample of 256 cifar10 test examples, first 200"
    assert about["seed"] == 0
    assert about["environment"]["keras"] == keras.__version__
    assert about["environment"]["precision"] == "float32"
    assert about["environment"]["backend"].startswith(keras.backend.backend())


def test_the_history_has_a_row_an_epoch(small_run):
    history = small_run.history
    assert history["epoch"] == [0]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history)
    assert 0 < history["loss"][0] < 10


def test_the_metrics_are_of_the_validation_cut(small_run):
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
    }


def test_the_report_names_model_data_and_figures(small_run):
    report = small_run.report()
    accuracy = f"accuracy {small_run.metrics['accuracy']:.4f}"
    for part in ("cifar_cnn_basic", "bundled sample", "seed 0", accuracy, str(small_run.path)):
        assert part in report


def test_a_run_opens_with_the_same_model(small_run):
    opened = runs.load_run(small_run.path)
    assert helpers.same_weights(opened.model, small_run.model)
    assert (opened.metrics, opened.minutes) == (small_run.metrics, small_run.minutes)
    assert spec_of(opened.model) == spec_of(small_run.model)


def test_tensorboard_shows_it(small_run):
    wanted = {
        "epoch_loss", "epoch_accuracy", "epoch_learning_rate", "images_per_second",
        "augmented_inputs", "confusion_matrix", "recipe",
    }  # fmt: skip
    assert wanted - tags_of(small_run) == set()


def test_the_learning_rate_of_a_schedule_is_shown(tiny_net, tmp_path):
    run = training.train(
        "tiny_net", data="sample", run_dir=tmp_path / "run", schedule="linear", warmup_fraction=0.5
    )
    assert "epoch_learning_rate" in tags_of(run)


@pytest.mark.parametrize("made", ["run", "folder", "file"])
def test_a_run_directory_that_exists_is_left_alone(made, small_run, tmp_path):
    path = small_run.path if made == "run" else tmp_path / "run"
    if made == "folder":
        path.mkdir()
    elif made == "file":
        path.write_text("mine")
    before = helpers.snapshot(path.parent)
    with pytest.raises(RunError, match=f"{path.name} exists; name another"):
        helpers.train_small(path)
    assert helpers.snapshot(path.parent) == before


@pytest.mark.parametrize(
    ("change", "error", "received"),
    [
        ({"epochs": 0}, SchemaError, "field 'epochs'.*received 0"),
        ({"epochs": "many"}, SchemaError, "field 'epochs'.*received 'many'"),
        ({"epoch": 2}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"validation_examples": 256}, DataError, "has only 256"),
        ({"data": "smaple"}, DataError, "received 'smaple'"),
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
def test_everything_is_checked_before_anything_is_written(change, error, received, tmp_path):
    with pytest.raises(error, match=received):
        helpers.train_small(tmp_path / "run", **change)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar_cnn_basik", "cifar_cnn_basic.tag"])
def test_only_a_models_bare_name_trains(name, tmp_path):
    with pytest.raises(UnknownNameError, match=re.escape(name)):
        training.train(name, data="sample", run_dir=tmp_path / "run", validation_examples=56)
    assert not any(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_weights(small_run, tmp_path):
    again = helpers.train_small(tmp_path / "again")
    other = helpers.train_small(tmp_path / "other", seed=1)
    assert helpers.same_weights(small_run.model, again.model)
    assert not helpers.same_weights(small_run.model, other.model)
    assert figures(again) == figures(small_run)


def test_training_without_validation_measures_nothing(tiny_net, tmp_path):
    run = training.train("tiny_net", data="sample", run_dir=tmp_path / "run", validation_examples=0)
    assert run.metrics == {}
    assert set(run.history) == {"epoch", "seconds", "accuracy", "loss"}
    assert "tiny_net" in run.report()


def test_a_run_without_a_name_lies_under_runs(tiny_net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = training.train("tiny_net", data=helpers.noise(90, classes=10), seed=7)
    (path,) = (tmp_path / "runs").iterdir()
    assert run.path.resolve() == path
    assert path.name.startswith("tiny_net-")
    assert path.name.endswith("-seed7")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_model_of_a_run_computes_in_float32(tiny_net, tmp_path, precision):
    run = training.train("tiny_net", data="sample", run_dir=tmp_path / "run", precision=precision)
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    about = json.loads((run.path / "run.json").read_text())
    assert about["environment"]["precision"] == precision


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "schedule": "triangle",
         "warmup_fraction": 0.2, "flip": "alternating", "random_translation": 2},
    ],
    ids=["adam", "triangle"],
)  # fmt: skip
def test_a_run_that_was_stopped_goes_on_to_the_same_end(changes, tiny_net, uninterrupted_and_resumed):
    whole, resumed = uninterrupted_and_resumed("tiny_net", 2, epochs=4, seed=3, **changes)
    assert helpers.same_weights(whole.model, resumed.model)
    assert figures(resumed) == figures(whole)
    assert resumed.metrics == whole.metrics
    assert {path.name for path in resumed.path.iterdir()} == {
        path.name for path in whole.path.iterdir()
    }


def test_a_resumed_run_drops_what_a_whole_one_does(tiny_net, uninterrupted_and_resumed):
    code = (tiny_net / "model.py").read_text()
    dropout = '    x = layers.Dropout(0.5, name="dropout")(x)\n    logits ='
    (tiny_net / "model.py").write_text(code.replace("    logits =", dropout))
    whole, resumed = uninterrupted_and_resumed("tiny_net", 1, epochs=3)
    assert len(set(whole.history["loss"])) == 3
    assert helpers.same_weights(whole.model, resumed.model)


def test_a_run_stopped_in_its_first_epoch_starts_again(tiny_net, uninterrupted_and_resumed):
    whole, resumed = uninterrupted_and_resumed("tiny_net", 0)
    assert helpers.same_weights(whole.model, resumed.model)
    assert len(resumed.history["epoch"]) == 1


def test_a_stopped_run_keeps_its_data(tiny_net, tmp_path, stop_at):
    stop_at(0)
    with pytest.raises(KeyboardInterrupt):
        training.train("tiny_net", data="sample", run_dir=tmp_path / "run")
    stop_at(None)
    before = helpers.snapshot(tmp_path)
    with pytest.raises(RunError, match="bundled sample"):
        training.train("tiny_net", data=helpers.noise(256), run_dir=tmp_path / "run", resume=True)
    assert helpers.snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "complete; there is nothing to resume"),
        ({"run_dir": None}, "resume=True needs run_dir"),
        ({"run_dir": "no/such/run"}, r"no/such/run is no run directory"),
        ({"epochs": 3, "flip": "random"}, "keeps its recipe and start; leave out epochs, flip"),
    ],
)
def test_what_can_not_be_resumed_is_an_error(options, sentence, small_run):
    before = helpers.snapshot(small_run.path)
    given = {"run_dir": small_run.path, "data": "sample", "resume": True, **options}
    with pytest.raises(RunError, match=sentence):
        training.train("cifar_cnn_basic", **given)
    assert helpers.snapshot(small_run.path) == before


def test_another_models_run_is_not_resumed(small_run, tiny_net):
    with pytest.raises(RunError, match="trains 'cifar_cnn_basic', not 'tiny_net'"):
        training.train("tiny_net", run_dir=small_run.path, resume=True)


def test_a_room_can_adapt_its_model_to_the_data(tiny_net, tmp_path, monkeypatch):
    seen = []
    module = registry.find("tiny_net")[0].module("model")
    monkeypatch.setattr(
        module, "adapt", lambda model, images: seen.append((model.name, len(images))), raising=False
    )
    training.train("tiny_net", data="sample", run_dir=tmp_path / "run")
    assert seen == [("tiny_net", 205)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_recipe_is_what_is_compiled(tiny_net, optimizer):
    recipe = helpers.recipe(
        optimizer=optimizer, learning_rate=0.25, weight_decay=0.01, label_smoothing=0.2
    )
    model = loading.get("tiny_net", weights=None)
    task_of(model).objective.compiled_model(model, recipe, steps=10)
    assert type(model.optimizer).__name__.lower() == optimizer
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.optimizer.weight_decay == 0.01
    assert model.loss.label_smoothing == 0.2


def test_a_training_on_growing_images_gives_a_model_for_whole_ones(tmp_path):
    run = training.train(
        "cifar_cnn",
        data="sample",
        run_dir=tmp_path / "run",
        validation_examples=56,
        epochs=2,
        batch_size=100,
        image_sizes=[16, 32],
        image_size_starts=[0.0, 0.5],
    )
    assert run.model.input_shape == (None, 32, 32, 3)
    assert all(np.isfinite(run.history["loss"]))


def test_the_csv_is_plain(small_run):
    with (small_run.path / "history.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == 2
    assert len(rows[0]) == len(rows[1]) == 6


def test_the_sample_is_never_changed(small_run):
    sample = datasets.sample("cifar10")
    with np.load(helpers.ROOT / "keras_fm" / "samples" / "cifar10.npz") as arrays:
        np.testing.assert_array_equal(sample.inputs, arrays["inputs"])
