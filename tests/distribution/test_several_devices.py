"""A training on several devices learns what it learns on one."""

import json

import helpers
import pytest
from training_processes import assert_same, write_small_text_model

pytestmark = pytest.mark.thorough

SHORT = {"epochs": 2, "batch_size": 32, "precision": "float32"}
# 200 examples in batches of 48 leave one of 8; those of 55 validation examples can't be halved.
UNEVEN = {**SHORT, "batch_size": 48, "validation_examples": 55, "drop_remainder": False}
TEXTS = {**UNEVEN, "global_clipnorm": 1.0}
BY_TENSORFLOW = {
    "tiny_lstm": {**SHORT, "validation_examples": 55, "global_clipnorm": 1.0},
    "cifar_cnn_basic": {**SHORT, "validation_examples": 64, "patience": 1},
    "linear_regression": {**SHORT, "validation_examples": 55, "global_clipnorm": 0.05},
}
BY_JAX = {"linear_regression": {**UNEVEN, "global_clipnorm": 0.05}, "tiny_lstm": TEXTS}

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


@pytest.mark.parametrize(("backend", "models"), [("tensorflow", BY_TENSORFLOW), ("jax", BY_JAX)])
def test_two_cpus_learn_what_one_learns(tmp_path, backend, models):
    # Without dropout: on TensorFlow each device draws the same numbers.
    site = write_small_text_model(tmp_path / "site", dropout=0.0)
    done = helpers.python(
        TRAIN_TWICE, tmp_path, json.dumps(models), KERAS_BACKEND=backend, PYTHONPATH=site
    )
    assert done.returncode == 0, done.stderr[-2000:]
    histories = json.loads(done.stdout.splitlines()[-1])
    assert histories.keys() == models.keys()
    for several, one in histories.values():
        assert_same(several, one)


def test_each_device_computes_its_rows():
    done = helpers.python(SHAPES, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[8, 8]]
