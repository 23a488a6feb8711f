"""Real processes that train together on this machine, over JAX's gloo collectives."""

import csv
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import helpers
import numpy as np

# No batch can be shared equally by two or four processes, nor can the last one, nor what validates.
UNEVEN = {
    "batch_size": 47,
    "drop_remainder": False,
    "epochs": 2,
    "precision": "float32",
    "validation_examples": 55,
}

# Trains a model, and prints its history in process 0.
TRAIN = """
import json, sys
import keras_fm

run_dir, name, fields, hosts = sys.argv[1:]
run = keras_fm.train(
    name, data="sample", run_dir=run_dir, hosts=hosts, verbose=0, **json.loads(fields)
)
print(json.dumps(run.history | run.metrics))
"""

SECONDS = 1200  # for processes that share a busy machine


def write_small_text_model(site, dropout):
    """Write the package of a small text classifier into `site`, a folder for PYTHONPATH."""
    helpers.write_package(site, "small_models", {"tiny_lstm": "small_models.tiny_lstm"})
    helpers.write_small_package(
        site / "small_models" / "tiny_lstm", "lstm", 300, width=4, units=4, dropout=dropout
    )
    return str(site)


def free_address(host="127.0.0.1"):
    """Return an address with a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{host}:{free.getsockname()[1]}"


def start(*arguments, prefix=(), **environment):
    """Start Python with arguments, on the JAX backend."""
    process = subprocess.Popen(
        [*prefix, sys.executable, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": "jax", **environment},
        cwd=helpers.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell started in the background ignore it, and so would the processes.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    started.append(process)
    return process


started: list[subprocess.Popen] = []


def start_training(run, count, *options, address=None, per_process=(), only=None):
    """Start the processes of a training by the command line, all with the same run directory.

    Args:
        run: The run directory.
        count: Of the processes.
        *options: Of the command.
        address: None for a free one.
        per_process: More options, for each process.
        only: The processes that are started, by index; None for all.
    """
    address = address or free_address()
    command = [
        "-m",
        "keras_fm",
        "train",
        "linear_regression",
        "--data",
        "sample",
        "--run-dir",
        run,
        *options,
    ]
    more = per_process or [()] * count
    return [
        start(*command, "--hosts", f"{address},{count},{index}", *more[index])
        for index in (range(count) if only is None else only)
    ]


def settings(**fields):
    """Return the command line's options that set fields of the recipe."""
    return [f"--set={name}={json.dumps(value)}" for name, value in fields.items()]


def ended(processes, timeout=SECONDS):
    """Wait for processes; return what each one printed, and its errors.

    Raises:
        subprocess.TimeoutExpired: They take longer than so many seconds together.
    """
    deadline = time.monotonic() + timeout
    outputs = [p.communicate(timeout=max(1, deadline - time.monotonic())) for p in processes]
    for process in processes:
        started.remove(process)
    return outputs


def wait_for_rows(run, count, timeout=SECONDS):
    """Wait until the history of a run has so many epochs."""
    deadline = time.monotonic() + timeout
    while len(history_of(run)) < count:
        assert time.monotonic() < deadline, f"{run} has {len(history_of(run))} epochs of {count}"
        time.sleep(0.2)


def history_of(run):
    """Return the rows of a run's history by column, as numbers; none where there is no file."""
    path = Path(run) / "history.csv"
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def assert_same_rows(rows, others):
    """Check that two histories agree but for the seconds."""
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        assert_same(row, other)


def assert_same(history, other):
    """Check that losses and metrics agree to 1e-4; seconds need not."""
    assert history.keys() == other.keys()
    for name in history.keys() - {"seconds"}:
        np.testing.assert_allclose(history[name], other[name], rtol=1e-4, atol=1e-4, err_msg=name)


def assert_one_sentence(process, errors, beginning, code=1):
    """Check what a process ended with."""
    assert process.returncode == code, errors
    lines = [line for line in errors.splitlines() if line.startswith("keras-fm: ")]
    assert len(lines) == 1, errors
    assert lines[0].removeprefix("keras-fm: ").startswith(beginning), errors
    assert "Traceback" not in errors
    assert "stack trace" not in errors
