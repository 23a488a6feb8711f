"""A training on several devices learns what it learns on one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import helpers
import numpy as np
import pytest

pytestmark = pytest.mark.thorough

SHORT = {"epochs": 2, "batch_size": 32, "precision": "float32"}
# 200 examples in batches of 48 leave one of 8; those of 55 validation examples can't be halved.
UNEVEN = {**SHORT, "batch_size": 48, "validation_examples": 55, "drop_remainder": False}
BY_TENSORFLOW = {
    "cifar_cnn_basic": {**SHORT, "validation_examples": 64, "patience": 1},
    "linear_regression": {**SHORT, "validation_examples": 55, "global_clipnorm": 0.05},
}
BY_JAX = {"linear_regression": {**UNEVEN, "global_clipnorm": 0.05}}

# A worker of the tests has one core, and what it starts as well.
ALL_CORES = """
import os

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, range(os.cpu_count()))
"""

TRAIN_TWICE = (
    ALL_CORES
    + """
import json, sys
import keras_fm

histories = {}
for name, fields in json.loads(sys.argv[2]).items():
    for devices in (2, 1):
        path = f"{sys.argv[1]}/{name}-{devices}"
        run = keras_fm.train(
            name, data="sample", run_dir=path, devices=devices, verbose=0, **fields
        )
        histories.setdefault(name, []).append(run.history | run.metrics)
print(json.dumps(histories))
"""
)

RESUME = """
import json, sys
import keras_fm

run, alone, fields = sys.argv[1:]
options = {"data": "sample", "verbose": 0}
keras_fm.train("cifar_cnn_basic", run_dir=run, resume=True, **options)
keras_fm.train("cifar_cnn_basic", run_dir=alone, **options, **json.loads(fields))
"""

SHAPES = (
    ALL_CORES
    + """
import json
import jax, keras, numpy as np
from keras_fm.distribution.sharded import ShardedDevices, add_cpus

add_cpus(2)
devices, shapes = ShardedDevices(2), []


class Observed(keras.layers.Layer):
    def call(self, x):
        observe = lambda sharding: shapes.append(sharding.shard_shape(x.shape))
        jax.debug.inspect_array_sharding(x, callback=observe)
        return x


inputs = keras.Input((4,))
hidden = Observed()(keras.layers.Dense(8)(inputs))
replica = devices.replicate(keras.Model(inputs, keras.layers.Dense(1)(hidden)))
with devices.building():
    replica.compile("sgd", "mse")
with devices.running():
    replica.fit(np.ones((16, 4)), np.ones((16, 1)), batch_size=16, verbose=0)
print(json.dumps(shapes))
"""
)


def assert_same(history, other):
    """Losses and metrics are those of the other training; seconds are not."""
    assert history.keys() == other.keys()
    for name in history.keys() - {"seconds"}:
        np.testing.assert_allclose(history[name], other[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(("backend", "models"), [("tensorflow", BY_TENSORFLOW), ("jax", BY_JAX)])
def test_two_cpus_learn_what_one_learns(tmp_path, backend, models):
    done = helpers.python(TRAIN_TWICE, tmp_path, json.dumps(models), KERAS_BACKEND=backend)
    assert done.returncode == 0, done.stderr[-2000:]
    histories = json.loads(done.stdout.splitlines()[-1])
    assert histories.keys() == models.keys()
    for several, one in histories.values():
        assert_same(several, one)


def test_each_device_computes_its_rows():
    done = helpers.python(SHAPES, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[8, 8]]


def processes(tmp_path, count, *options, name="cifar_cnn_basic"):
    """Start the processes of a training; the first one writes its run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "keras_fm", "train", name, "--data", "sample", *options]
    return [
        subprocess.Popen(
            [*command, "--hosts", f"{address},{count},{index}", "--run-dir", tmp_path / "run"],
            env={**os.environ, "KERAS_BACKEND": "jax"},
            cwd=helpers.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def history_of(path):
    rows = (path / "history.csv").read_text("utf-8").splitlines()
    return [row.split(",") for row in rows]


def test_a_process_that_is_killed_ends_the_other_and_one_process_resumes(tmp_path):
    settings = {**UNEVEN, "epochs": 500}
    options = [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]
    first, second = processes(tmp_path, 2, *options)
    run = tmp_path / "run"
    deadline = time.monotonic() + 240
    while not (run / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    second.send_signal(signal.SIGKILL)
    output, errors = first.communicate(timeout=60)
    assert first.returncode == 2, errors
    assert "Epoch 1/500" in output
    assert errors.splitlines()[-1].startswith("keras-fm: process 0 of 2 stops, for another one")
    assert "Traceback" not in errors
    printed, _ = second.communicate()
    assert "Epoch" not in printed
    before = history_of(run)
    recipe = run / "recipe.toml"
    epochs = len(before)  # of which the head is no epoch: one more
    recipe.write_text(recipe.read_text("utf-8").replace("epochs = 500", f"epochs = {epochs}"))
    # One process resumes, and learns what one alone learns from the beginning.
    alone = {**settings, "epochs": epochs}
    done = helpers.python(RESUME, run, tmp_path / "alone", json.dumps(alone), KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    rows, expected = history_of(run), history_of(tmp_path / "alone")
    assert rows[0] == expected[0]
    seconds = rows[0].index("seconds")
    for row, other in zip(rows[1:], expected[1:], strict=True):
        numbers, others = (np.delete(np.array(x, float), seconds) for x in (row, other))
        np.testing.assert_allclose(numbers, others, rtol=1e-4, atol=1e-4)
