"""`tools/train_many.py`: a queue of trainings that is stopped and resumed, data, archives."""

import json
import os
import signal
import subprocess
import sys
import time

import helpers
import numpy as np
import pytest
import tensorflow as tf
import without_tensorflow
from tensorboard_logs import read_events

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import RunError, SchemaError
from keras_fm.models import run_files
from keras_fm.training.runs import load_run

QUEUE = """[[jobs]]
name = "long"
model = "linear_regression"
data = "sample"
seed = 3
set = { epochs = 300 }

[[jobs]]
name = "short"
model = "linear_regression"
data = "sample"
worth = 2.0
set = { epochs = 1 }
"""


@pytest.fixture
def train_many(tools):
    return tools("train_many")


@pytest.fixture
def queue(tmp_path):
    file = tmp_path / "queue.toml"
    file.write_text(QUEUE)
    return file


def command(*arguments):
    words = [sys.executable, str(helpers.ROOT / "tools" / "train_many.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(helpers.ROOT)}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_jobs_are_ordered_by_worth(train_many, queue):
    assert [job.name for job in train_many.read_queue(queue)] == ["short", "long"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("worth", "value", "unknown field"),
        ('"long"', '"short"', "2 jobs are named 'short'"),
        ('"long"', '"../long"', "field 'jobs"),
    ],
    ids=["field", "name", "path"],
)
def test_a_mistake_in_the_queue_names_the_file(train_many, queue, old, new, message):
    queue.write_text(QUEUE.replace(old, new, 1))
    with pytest.raises(SchemaError, match=rf"queue\.toml: .*{message}"):
        train_many.read_queue(queue)


def test_a_job_that_can_not_start_is_named_before_the_first_one_does(train_many, queue, tmp_path):
    queue.write_text(QUEUE.replace("epochs = 300", "epoch = 40"))
    with pytest.raises(RunError, match=r"job 'long': .*no field 'epoch'"):
        train_many.run(train_many.read_queue(queue), tmp_path / "runs", 1, 1.0, None)
    assert not (tmp_path / "runs").exists()


@pytest.mark.by_hand
def test_a_stopped_queue_goes_on_and_ends_as_one_that_was_not_stopped(queue, tmp_path, train_many):
    directory, packed = tmp_path / "runs", tmp_path / "packed"
    arguments = ("run", queue, directory, "--parallel", 2, "--pack", packed)
    process = command(*arguments)
    history = directory / "long" / run_files.HISTORY
    while process.poll() is None and not run_files.read_history(history):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    epochs = len(run_files.read_history(history))
    assert 0 < epochs < 300, output
    assert "long   stopped" in output
    assert not run_files.is_complete(directory / "long")

    elsewhere = tmp_path / "elsewhere"  # another machine takes it up
    train_many.unpack(packed, elsewhere)
    output, _ = command("run", queue, elsewhere, "--parallel", 2).communicate()
    assert "resumes long" in output
    assert "starts long" not in output
    assert output.count("complete") == 2, output

    from keras_fm.training.training import train

    whole = train("linear_regression", data="sample", seed=3, epochs=300, verbose=0,
                  run_dir=tmp_path / "whole")  # fmt: skip
    assert run_files.read_result(elsewhere / "long")["metrics"] == whole.metrics


@pytest.mark.thorough
def test_a_job_that_fails_is_told_and_the_others_go_on(queue, tmp_path):
    queue.write_text(QUEUE.replace("epochs = 300", "epochs = 1, learning_rate = 1e6"))
    process = command("run", queue, tmp_path / "runs", "--parallel", 2)
    output = process.communicate()[0]
    assert process.returncode == 1
    assert "short  complete" in output
    assert "long   failed" in output


def test_archives_have_parts_and_a_missing_one_is_told(train_many, queue, tmp_path, monkeypatch):
    monkeypatch.setattr(train_many, "PART_BYTES", 1000)
    directory, packed = tmp_path / "runs", tmp_path / "packed"
    noise = np.random.default_rng(0).bytes(2500)  # can't be compressed
    (directory / "long").mkdir(parents=True)
    (directory / "long" / "weights").write_bytes(noise)
    (directory / "long.log").write_text("a line\n")
    jobs = train_many.read_queue(queue)
    train_many.pack(jobs, directory, packed)
    parts = sorted(packed.iterdir())
    assert len(parts) > 2
    assert all(part.stat().st_size <= 1000 for part in parts)
    train_many.unpack(packed, tmp_path / "back")
    assert (tmp_path / "back" / "long" / "weights").read_bytes() == noise
    assert (tmp_path / "back" / "long.log").read_text() == "a line\n"
    parts[-1].unlink()
    with pytest.raises(RunError, match="a part is missing or damaged"):
        train_many.unpack(packed, tmp_path / "back")
    assert (tmp_path / "back" / "long" / "weights").read_bytes() == noise


def test_the_data_of_a_queue_are_those_that_its_trainings_load(train_many):
    def needed(model, **fields):
        return {*train_many.needed_data(train_many.Job(name="job", model=model, **fields))}

    assert needed("linear_regression", data="sample") == set()
    assert ("cifar10", "train") in needed("cifar_cnn")
    distilled = needed("lstm", set={"teacher": "mini_bert", "unlabeled_split": "unsupervised"})
    assert ("imdb_reviews", "unsupervised") in distilled
    assert len(needed("mini_bert")) > 1  # also those of the pretraining


@pytest.mark.parametrize("kind", ["images", "texts", "table"])
def test_prepared_data_are_read_in_place_of_those_of_tfds(train_many, tmp_path, monkeypatch, kind):
    texts = np.empty(3, object)
    texts[:] = ["ä\0".encode(), b"", b"end\0"]
    inputs = {
        "images": helpers.image(4, 4)[None].repeat(3, 0),
        "texts": texts,
        "table": {"size": np.arange(3.0), "kind": np.array(["a", "ü", "c"])},
    }[kind]
    examples = Examples(inputs, np.arange(3), "made up")
    monkeypatch.setattr(train_many.datasets, "load", lambda dataset, split: examples)
    job = train_many.Job(name="job", model="cifar_cnn_basic")
    [path] = train_many.prepare([job], tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_FM_DATASETS", str(tmp_path))
    loaded = datasets.load("cifar10", "train")
    assert path.parent == tmp_path
    assert loaded.description == "cifar10 train"
    assert loaded.sha256() == examples.sha256()


def test_an_interrupted_start_leaves_nothing_that_stops_the_next(train_many, queue, tmp_path):
    leftover = tmp_path / "runs" / "long"
    leftover.mkdir(parents=True)
    (leftover / "examples.npz").write_text("half")
    [_, job] = train_many.read_queue(queue)
    with pytest.raises(RunError, match=r"job 'long': .*exists"):  # the user's own files
        train_many._check(job, tmp_path / "runs")
    (tmp_path / "runs" / "long.log").touch()
    train_many._check(job, tmp_path / "runs")
    assert not leftover.exists()
    leftover.mkdir()
    (leftover / "run.json").write_text(json.dumps({"model": "mlp"}))
    # A run that can't be read is nobody's to delete.
    with pytest.raises(RunError, match=r"job 'long': .*written by another version"):
        train_many._check(job, tmp_path / "runs")
    assert leftover.exists()


def test_the_weights_of_a_queue_are_those_that_its_trainings_take(train_many):
    def needed(model, **fields):
        return train_many.needed_weights(train_many.Job(name="job", model=model, **fields))

    assert needed("cifar_cnn") == needed("mini_bert") == set()  # its pretraining is a training
    assert needed("char_lstm") == {"char_lstm_reviews"}
    assert needed("gan") == {"fashion_cnn"}
    assert needed("lstm", recipe="distilled") == {"mini_bert"}


def test_a_checkout_trains_without_tensorflow_and_the_unpacked_run_has_logs(
    queue, tmp_path, train_many, tools
):
    # A job of which the weights are looked at alone.
    queue.write_text(QUEUE + '\n[[jobs]]\nname = "text"\nmodel = "char_lstm"\n')
    checkout, packed = tmp_path / "checkout", tmp_path / "packed"
    train_many.write_checkout(train_many.read_queue(queue), checkout)
    weights = [path.name for path in checkout.rglob("*.weights.h5")]
    assert len(weights) == 1
    assert weights[0].startswith("char_lstm_reviews.")
    assert sum(path.stat().st_size for path in checkout.rglob("*") if path.is_file()) < 25e6
    with pytest.raises(RunError, match="checkout exists"):
        train_many.write_checkout([], checkout)

    queue.write_text(QUEUE.replace("epochs = 300", "epochs = 3"))
    arguments = ("tools/train_many.py", "run", queue, tmp_path / "runs", "--pack", packed)
    code, output = without_tensorflow.run_python(tmp_path / "site", *arguments, root=checkout)
    assert code == 0, output
    assert output.count("complete") == 2
    assert not (tmp_path / "runs" / "long" / "logs").exists()

    back = tmp_path / "back"
    train_many.unpack(packed, back)
    history = run_files.read_history(back / "long" / run_files.HISTORY)
    result = run_files.read_result(back / "long")
    train, validation = (read_events(back / "long" / "logs" / folder)
                         for folder in ("train", "validation"))  # fmt: skip
    for events, tag, name in ((train, "1_loss/loss", "loss"),
                              (validation, "1_loss/loss", "val_loss")):  # fmt: skip
        points = events.Tensors(tag)
        values = [float(tf.make_ndarray(point.tensor_proto)) for point in points]
        assert values == pytest.approx([row[name] for row in history])
        steps = result["steps_per_epoch"]
        assert [point.step for point in points] == [steps, 2 * steps, 3 * steps]
    tags = validation.Tags()["tensors"]
    assert "_hparams_/session_start_info" in tags
    assert {f"5_result/{name}" for name in result["metrics"]} <= {*tags}
    tools("release_weights")._check_logs(load_run(back / "long"))
