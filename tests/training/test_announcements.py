"""What a training says before its first epoch, and in its report."""

import dataclasses

import helpers
import keras
import numpy as np
import pandas as pd
import pytest

from keras_fm import progress, registry
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.image_generation.data import GANBatches
from keras_fm.training import announcements, endings, jobs, runs
from keras_fm.training.early_stopping import EarlyStopping
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.training import train

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def job_of(name="cifar_cnn_basic", *, count=12, num_validation=4, fitted=None, **fields):
    spec = ModelSpec.of(registry.find(name)[0])
    recipe = spec.task.default_recipe().override(**fields)
    validation = helpers.noise(num_validation) if num_validation else None
    return TrainingJob(spec, helpers.noise(count), validation, recipe, 0, fitted=fitted or {})


def said(capsys, function, *arguments):
    with progress.verbosity(2):
        function(*arguments)
    lines = capsys.readouterr().out
    with progress.verbosity(0):
        function(*arguments)
    assert capsys.readouterr().out == "", "verbose=0 prints nothing"
    return lines


@pytest.fixture(autouse=True)
def any_cpu(monkeypatch):
    """Announce the same on every CPU; tests/test_startup.py sees the line on oneDNN."""
    monkeypatch.setattr(announcements, "lacks_onednn", lambda: False)


@pytest.fixture
def table():
    width = np.arange(60) / 60
    return pd.DataFrame({"width": width, "price": 3 * width + np.arange(60) % 4})


def test_the_run_is_announced(capsys, tmp_path):
    lines = said(capsys, announcements.announce_run, tmp_path / "my run", job_of())
    assert lines.splitlines() == [
        f"run directory: {tmp_path}/my run",
        "data: 12 images of noise",
        f"    12 examples to train on, 4 to validate on; 10 classes: {', '.join(CLASSES)}",
        f"watch it: tensorboard --logdir '{tmp_path}/my run'",
    ]


def test_the_columns_of_a_table_are_announced(capsys, tmp_path):
    notes = ("columns: 2 numbers, 1 left out (id: an id)", "column 'id' was left out: it is an id")
    job = dataclasses.replace(job_of(), notes=notes)
    lines = said(capsys, announcements.announce_run, tmp_path / "run", job).splitlines()
    assert lines[3] == f"    {notes[0]}"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("fields", "epochs"),
    [
        ({"epochs": 5}, "5 epochs"),
        ({"epochs": 9, "patience": 3},
         "9 epochs at most, until 3 in a row have no lower val_loss"),
        ({"epochs": 3, "patience": 3}, "3 epochs"),
    ],
)  # fmt: skip
def test_model_batches_and_epochs_are_announced(capsys, fields, epochs):
    job = job_of(count=12, batch_size=4, **fields)
    model = jobs.initial_model(job)
    model.trainable = False
    batches = job.task.data.batches(job.examples, job.recipe, 0)
    lines = said(capsys, announcements.announce_stage, model, job, batches).splitlines()
    assert lines == [
        "model: cifar_cnn_basic, 122,570 parameters, 0 of them trained",
        f"batch size 4, 3 steps an epoch, {epochs}",
    ]


def test_what_was_fitted_and_what_is_left_out_is_announced(capsys):
    job = job_of(count=10, batch_size=4, fitted={"batch_size": (64, 4)})
    batches = job.task.data.batches(job.examples, job.recipe, 0)
    lines = said(
        capsys, announcements.announce_stage, jobs.initial_model(job), job, batches, 2
    ).splitlines()
    assert lines[2] == (
        "fitted to 14 examples, so that an epoch has several steps: batch_size 4 (the recipe's is "
        "64)"
    )
    assert lines[3] == (
        "2 of 10 examples do not fill a batch and are left out of a pass, others each time: the "
        "recipe has drop_remainder=true"
    )
    assert lines[4] == "resumes after epoch 2"


def test_a_generator_says_why_examples_are_left_out():
    recipe = helpers.recipe("image-generation", batch_size=4, drop_remainder=False)
    images = np.zeros((10, 4, 4, 3), "uint8")
    batches = GANBatches(images, np.arange(10), recipe=recipe, seed=0, latent_dim=2)
    assert "this training needs full batches" in announcements._describe_left_out(batches)


@pytest.mark.parametrize(
    ("data", "overrides", "fields"),
    [
        ("sample", {}, {"batch_size", "epochs", "epochs_per_pass", "learning_rate"}),
        ("sample", {"batch_size": 8}, {"epochs", "epochs_per_pass"}),
    ],
)
def test_a_job_knows_what_was_fitted(data, overrides, fields):
    package, _ = registry.find("cifar_cnn_basic")
    job = jobs.training_job(
        package, data=data, target=None, problem_type=None, seed=0, overrides=overrides
    )
    assert set(job.fitted) <= fields
    assert ("batch_size" in job.fitted) == ("batch_size" not in overrides)


def stopping(folder, losses, patience=2, initial_loss=9.0):
    callback = EarlyStopping(folder, patience, initial_loss)
    callback.restore([{"val_loss": loss} for loss in losses])
    return callback


@pytest.mark.parametrize(
    ("losses", "epochs", "words"),
    [
        ([5, 4, 6, 7], 9, "early stopping after epoch 4 of 9: 2 in a row had no lower val_loss; "
         "the weights are those of epoch 2, with the lowest val_loss, 4.0000"),
        ([5, 4], 2, "all 2 epochs were run; the weights are those of epoch 2, with the lowest "
         "val_loss, 4.0000"),
        ([5], 3, "stopped by a callback after epoch 1 of 3; the weights are those of epoch 1, with "
         "the lowest val_loss, 5.0000"),
        ([10, 11], 5, "early stopping after epoch 2 of 5: 2 in a row had no lower val_loss; the "
         "weights are the initial ones: no epoch had a lower val_loss"),
    ],
)  # fmt: skip
def test_a_report_says_why_it_ended_and_which_weights_it_has(tmp_path, losses, epochs, words):
    callback = stopping(tmp_path, losses)
    job = job_of(epochs=epochs)
    assert endings.describe_ending(job, len(losses), [callback]) == words


def test_without_early_stopping_the_last_weights_are_kept():
    words = endings.describe_ending(job_of(epochs=3), 3, [])
    assert words == "all 3 epochs were run; the weights are those of the last epoch"


@pytest.mark.parametrize(
    ("name", "fields", "part"),
    [
        ("cifar_cnn_basic", {"label_smoothing": 0.1, "precision": "float32"},
         "val_loss includes label smoothing 0.1, no metric does"),
        ("cifar_cnn_basic", {"label_smoothing": 0.0, "precision": "bfloat16"},
         "val_loss was computed in bfloat16, the metrics above in float32"),
        ("linear_regression", {"precision": "float32"}, "rmse_log is its root"),
        ("char_lstm", {"precision": "float32"}, "bits_per_character is val_loss / ln 2"),
    ],
)  # fmt: skip
def test_what_differs_between_val_loss_and_the_metrics_is_said(name, fields, part):
    assert endings.describe_loss(job_of(name, **fields)) == part or part in endings.describe_loss(
        job_of(name, **fields)
    )


def test_nothing_is_said_where_nothing_differs():
    job = job_of(label_smoothing=0.0, precision="float32")
    assert endings.describe_loss(job) == ""
    assert endings.describe_loss(job_of(num_validation=0, label_smoothing=0.1)) == ""


def test_a_run_says_it_all(capsys, table, tmp_path):
    path = tmp_path / "run"
    run = train("linear_regression", data=table, target="price", epochs=2, run_dir=path, verbose=2)
    printed = capsys.readouterr().out
    before = printed.partition("Epoch 1/2")[0]
    counts = "48 examples to train on, 12 to validate on; target: price"
    for part in (f"run directory: {path}", counts, "parameters", "steps an epoch", "tensorboard"):
        assert part in before, part
    report = run.report()
    for part in ("on 12 validation examples:", "all 2 epochs were run", "val_loss is the mean"):
        assert part in report, part
    assert runs.load_run(path).report() == report


def test_a_classifiers_report_has_its_classes(small_run):
    assert {"precision", "recall", "f1", "support"} == set(next(iter(small_run.per_class.values())))
    assert "macro average" in small_run.report()
    assert sum(row["support"] for row in small_run.per_class.values()) == 56


def test_a_run_of_before_has_a_report_too(small_run):
    old = runs.Run(small_run.path, small_run.model, small_run.metrics, small_run.baseline, 1.0)
    assert "macro average" not in old.report()
    assert isinstance(old.model, keras.Model)
