"""No verb writes what its caller can't use: a fresh interpreter goes through all of them."""

import logging
import os
import subprocess
import sys

import helpers
import pytest

from keras_fm.logs import left_out
from keras_fm.startup import hidden_remarks

VERBS = """
import sys

import keras_fm
from keras_fm import adapters, data

is_thorough = sys.argv[1:] == ["thorough"]
pipes = [keras_fm.pipeline("linear_regression") for _ in range(6)]
import tensorflow as tf

tf.get_logger().setLevel("INFO")  # as TensorFlow itself does in a notebook
row = {"carat": 1.0, "cut": "Ideal", "color": "E", "clarity": "SI1", "depth": 61.0, "table": 55.0,
       "x": 6.4, "y": 6.4, "z": 3.9}
for count, pipe in enumerate(pipes, 1):
    pipe([row] * count)
    pipe.model.predict(pipe.preprocess([row] * count), verbose=0)
keras_fm.explain("linear_regression", [row] * 3)
if is_thorough:
    read, look, write = map(keras_fm.pipeline, ("lstm", "cifar_cnn_basic", "char_lstm"))
    images = data.sample("cifar10").inputs
    for count in range(1, 7):
        read(["good film " * 8 * count] * count)
        look(list(images[:count, : 10 + count]))
        write(["ROMEO:"] * count, length=1)
    keras_fm.explain("cifar_cnn_basic", images[:2])
runs = [
    keras_fm.train("linear_regression", data="sample", epochs=1, run_dir=f"run{seed}", seed=seed)
    for seed in range(4 if is_thorough else 1)
]
tuned = keras_fm.fine_tune(
    runs[0].model, data.sample("diamonds"), epochs=1, run_dir="tuned", strategy="full"
)
keras_fm.evaluate(tuned.path)
keras_fm.verify("linear_regression")
print(keras_fm.export(tuned.model, "exports"))
keras_fm.pipeline("exports")([row])
"""


def run_quietly(code, folder, *arguments, **variables):
    """Run code in a fresh interpreter without the log levels of the tests."""
    environment = {name: value for name, value in os.environ.items() if "TF_CPP" not in name}
    environment |= {"PYTHONPATH": str(helpers.ROOT), "TFDS_DATA_DIR": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["quick", pytest.param("thorough", marks=pytest.mark.thorough)])
def test_all_verbs_leave_stderr_empty(kind, tmp_path):
    (tmp_path / "diamonds" / "1.0.0").mkdir(parents=True)  # TFDS would remark that it is empty
    process = run_quietly(VERBS, tmp_path, kind)
    assert (process.returncode, process.stderr) == (0, "")
    assert "temp" not in process.stdout
    assert ".partial" not in process.stdout
    assert process.stdout.endswith("exports/1\n")


@pytest.mark.thorough
def test_the_callers_own_log_level_stays(tmp_path):
    code = "import os, keras_fm; keras_fm.get; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    process = run_quietly(code, tmp_path, TF_CPP_MIN_LOG_LEVEL="0")
    assert process.stdout == "0\n"
    assert "This TensorFlow binary" in process.stderr  # whoever asks for all of it gets all of it


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("I0000 00:00:1.5  9 port.cc:153] oneDNN custom operations are on.\n", ""),
        ("2026-01-01 10:00:00.123456: I tensorflow/core/a.cc:1] found\n", ""),
        ("WARNING: All log messages before absl::InitializeLog() is called are\n", ""),
        ("E0000 00:00:1.5  9 cuda_fft.cc:4] Unable to register cuFFT factory\n", ""),
        ("E0000 00:00:1.5  9 a.cc:4] broken\n", "E0000 00:00:1.5  9 a.cc:4] broken\n"),
        ("of another thread\nI0000 00:00:1.5  9 a.cc:1] b\n", "of another thread\n"),
    ],
)
def test_only_remarks_are_hidden(written, shown, monkeypatch, capfd):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with hidden_remarks():
        os.write(2, written.encode())
    assert capfd.readouterr().err == shown


def test_all_is_shown_where_the_import_fails(monkeypatch, capfd):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")

    @hidden_remarks()
    def fail():
        os.write(2, b"I0000 a.cc:1] why\n")
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "I0000 a.cc:1] why\n"


def test_records_that_match_are_left_out_and_errors_are_not(caplog):
    logger = logging.getLogger("keras_fm.tests")
    with left_out("keras_fm.tests", "^Assets"):
        for level, message in ((30, "Assets written"), (30, "other"), (40, "Assets lost")):
            logger.log(level, message)
    logger.warning("Assets written")
    assert caplog.messages == ["other", "Assets lost", "Assets written"]
