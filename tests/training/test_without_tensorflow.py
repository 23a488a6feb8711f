"""Trainings on JAX where TensorFlow, TensorBoard and TFDS are not installed."""

import json
import os
import subprocess
import sys

import helpers
import numpy as np
import pytest
import without_tensorflow

from keras_fm import registry
from keras_fm.evaluation.evaluation import evaluate_model
from keras_fm.models import run_files
from keras_fm.models.spec import spec_of
from keras_fm.registry.tasks import TASKS
from keras_fm.training.runs import load_run

# A training that is stopped after an epoch, and resumed.
TRAIN = """
import json, sys
import keras
from keras_fm.training.training import train

class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

name, run_dir, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
try:
    train(name, data="sample", run_dir=run_dir, callbacks=[Stop()], epochs=2, **options)
except KeyboardInterrupt:
    print("stopped")
run = train(name, data="sample", run_dir=run_dir, resume=True)
assert len(run.history["seconds"]) == 2, run.history
assert "tensorflow" not in sys.modules
"""
TRAINING_PATH = """
import sys
from importlib import import_module
import keras_fm.cli.train, keras_fm.training.fine_tuning, keras_fm.training.training
from keras_fm.registry.tasks import TASKS
for package in TASKS.values():
    import_module(f"{package}.task")
imported = {"tensorflow", "tensorboard", "tensorflow_datasets"} & sys.modules.keys()
assert not imported, imported
"""

# By data in files, of the beginnings of reviews: whole ones take minutes on a CPU.
PRETRAIN = """
import os, pathlib, sys
import numpy as np
from keras_fm.data import Examples, dataset_files, datasets
from keras_fm.training.training import train

folder = pathlib.Path(sys.argv[1])
os.environ["KERAS_FM_DATASETS"] = str(folder)
reviews = datasets.sample("imdb_reviews")
texts = np.empty(len(reviews), object)
texts[:] = [text[:200] for text in reviews.inputs]
for split in ("train", "unsupervised+train"):
    file = dataset_files.file_of(folder, "imdb_reviews", split)
    dataset_files.write(file, Examples(texts, reviews.targets, "beginnings"))
short = {"epochs": 1, "epochs_per_pass": 1, "batch_size": 16, "validation_examples": 64}
pretraining = {**short, "num_cycles": 1, "sequence_length": 32, "long_sequence_length": 0}
train("mini_bert", run_dir=folder / "run", **short,
      **{f"pretraining.{name}": value for name, value in pretraining.items()})
"""

OPTIONS = {
    "linear_regression": {},
    "mlp": {},
    "char_lstm": {"batch_size": 16, "sequence_length": 128},
    "lstm": {},
    "cifar_cnn_basic": {},
    "cifar_cnn": {},
    "gan": {"batch_size": 64},
}
SLOW = [name for name in OPTIONS if name != "linear_regression"]  # a minute each


def test_the_modules_of_a_training_import_no_tensorflow():
    pytest.importorskip("jax")
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(helpers.ROOT)}
    subprocess.run([sys.executable, "-c", TRAINING_PATH], env=environment, check=True)


def test_one_model_of_each_task_is_trained_here():
    tasks = {registry.info(name).task for name in OPTIONS}
    tasks |= {"fill-mask"}  # the pretraining of `mini_bert`, a text classifier; below
    tasks |= {"tabular-classification"}  # no model of the zoo; mlp on a user's own table
    assert tasks == {*TASKS}


@pytest.mark.parametrize(
    "name", ["linear_regression", *(pytest.param(name, marks=pytest.mark.by_hand) for name in SLOW)]
)
def test_a_training_ends_resumes_and_is_evaluated_with_tensorflow(name, tmp_path):
    path = tmp_path / "run"
    code, output = without_tensorflow.run_python(
        tmp_path / "site", "-c", TRAIN, name, path, json.dumps(OPTIONS[name])
    )
    assert code == 0, output
    assert "stopped" in output
    missing = "no logs for TensorBoard: tensorflow and tensorboard are not installed"
    assert output.count(missing) == 2  # once in each part
    assert not (path / "logs").exists()
    assert run_files.is_complete(path)
    run = load_run(path)
    examples = spec_of(run.model).task.data.load("sample")
    validation = examples.subset(slice(-run.num_validation, None), "the last ones")
    measured = evaluate_model(run.model, validation)  # on TensorFlow
    assert measured == pytest.approx(run.metrics, rel=1e-3, abs=1e-3)


@pytest.mark.by_hand
def test_a_masked_language_model_is_pretrained_without_tensorflow(tmp_path):
    code, output = without_tensorflow.run_python(tmp_path / "site", "-c", PRETRAIN, tmp_path)
    assert code == 0, output
    assert run_files.is_complete(tmp_path / "run" / "pretraining")
    assert run_files.is_complete(tmp_path / "run")


@pytest.mark.thorough
def test_a_table_of_numbers_needs_no_tensorflow(tmp_path):
    random = np.random.default_rng(0)
    sizes, weights = random.normal(size=(2, 200))
    rows = [
        f"{size:.3f},{weight:.3f},{'yes' if size > 0 else 'no'}\n"
        for size, weight in zip(sizes, weights, strict=True)
    ]
    (tmp_path / "table.csv").write_text("size,weight,label\n" + "".join(rows))
    words = ("-m", "keras_fm", "train", "mlp", "--data", tmp_path / "table.csv", "--target",
             "label", "--set", "epochs=2", "--run-dir", tmp_path / "table")  # fmt: skip
    code, output = without_tensorflow.run_python(tmp_path / "site", *words)
    assert code == 0, output
    assert run_files.read_result(tmp_path / "table")["metrics"]["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "linear_regression", "--histograms"], "histograms=True adds to TensorBoard's"),
        (
            ["train", "linear_regression", "--run-dir", "none"],
            "TensorFlow Datasets, which loads",
        ),
        (
            ["export", "linear_regression", "exported"],
            "this needs tensorflow, which is not installed: pip",
        ),
    ],
    ids=["histograms", "data", "export"],
)
def test_what_needs_tensorflow_says_so_in_a_sentence(words, message, tmp_path):
    code, output = without_tensorflow.run_python(tmp_path / "site", "-m", "keras_fm", *words)
    assert code == 2
    assert message in output
    assert len(output.strip().splitlines()) == 1, output
