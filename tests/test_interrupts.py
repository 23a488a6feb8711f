"""`Ctrl-C` ends the loops of Keras, which catch it where they wait for a step."""

import contextlib
import signal
import threading
from itertools import count

import keras
import numpy as np
import pytest
from keras.src.utils import python_utils

import keras_fm
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.interrupts import interruptible
from keras_fm.models import inference

HOOKS = ["on_train_batch_end", "on_test_batch_end", "on_predict_batch_end"]


def lose_an_interrupt():
    """Interrupt this process, and catch it as Keras' `pythonify_logs` does."""
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interrupted_in_the_logs(monkeypatch):
    """Interrupt Keras where it converts the logs of the second step; count the conversions."""
    conversions = count(1)
    pythonify_logs = python_utils.pythonify_logs
    seen = []

    def interrupted(logs):
        seen.append(logs)
        if logs and next(conversions) == 2:
            lose_an_interrupt()
        return pythonify_logs(logs)

    monkeypatch.setattr(python_utils, "pythonify_logs", interrupted)
    return seen


@pytest.fixture(autouse=True)
def handler_is_pythons():
    """Check that every test begins and ends with Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.parametrize("hook", HOOKS)
def test_a_lost_interrupt_is_raised_at_the_end_of_the_step(hook):
    with interruptible() as interrupt:
        getattr(interrupt, hook)(0)
        lose_an_interrupt()
        with pytest.raises(KeyboardInterrupt):
            getattr(interrupt, hook)(1)
        interrupt.is_received = False  # or the end of the block would raise it


def test_a_lost_interrupt_is_raised_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt), interruptible():
        lose_an_interrupt()


@interruptible()
def fail_after_an_interrupt():
    lose_an_interrupt()
    raise ValueError("mine")


def test_another_error_is_not_hidden_by_an_interrupt():
    with pytest.raises(ValueError, match="mine"):
        fail_after_an_interrupt()


def test_a_block_in_another_raises_what_either_lost():
    with interruptible() as outer:
        with interruptible() as inner:
            lose_an_interrupt()
        assert inner is outer
        with pytest.raises(KeyboardInterrupt):
            outer.on_train_batch_end(0)
        outer.is_received = False  # or the end of the block would raise it


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *signal: None])
def test_a_handler_of_the_caller_stays(own):
    signal.signal(signal.SIGINT, own)
    try:
        with interruptible() as interrupt:
            assert signal.getsignal(signal.SIGINT) is own
            signal.raise_signal(signal.SIGINT)
            interrupt.on_train_batch_end(0)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_have_no_signals():
    errors = []

    def work():
        try:
            with interruptible() as interrupt:
                interrupt.on_predict_batch_end(0)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


def train(path):
    keras_fm.train("linear_regression", data="sample", run_dir=path / "run", batch_size=32)


def fine_tune(path):
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), "uint8")
    data = images, np.arange(64) % 2
    keras_fm.fine_tune("cifar_cnn_basic", data, run_dir=path / "run", batch_size=4)


def predict(path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    inference.predict(model, np.zeros((64, 2), "float32"), batch_size=4)


def evaluate_generated_images(path):
    GeneratorEvaluator("fashion_cnn").predict_with_features(np.zeros((600, 28, 28, 1), "uint8"))


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (train, "resume it with: keras-fm train linear_regression"),
        (fine_tune, "resume it with the same model, data and run_dir="),
        (predict, ""),
        (evaluate_generated_images, ""),
    ],
)
def test_works_are_stopped_by_the_interrupt_that_keras_lost(
    work, message, interrupted_in_the_logs, tmp_path
):
    with pytest.raises(KeyboardInterrupt) as stopped:
        work(tmp_path)
    assert message in str(stopped.value)
    # The second conversion with logs was the last.
    assert sum(bool(logs) for logs in interrupted_in_the_logs) == 2


def test_an_interrupted_training_resumes(interrupted_in_the_logs, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    options = {"data": "sample", "run_dir": tmp_path / "run"}
    run = keras_fm.train("linear_regression", resume=True, **options)
    assert run.history["epoch"] == list(range(60))
