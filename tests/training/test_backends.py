"""Every model on the backend that KERAS_BACKEND names; `.ci/run` calls this file with jax."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.layers import FastLSTM
from keras_fm.models import loading, weights
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer
from keras_fm.training import fine_tuning

MODELS = registry.list_models()


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[Executor]:
    """A second Python, with TensorFlow below Keras: one for all models, for it starts slowly."""
    with (
        pytest.MonkeyPatch.context() as environment,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor,
    ):
        environment.setenv("KERAS_BACKEND", "tensorflow")
        assert executor.submit(keras.backend.backend).result() == "tensorflow"
        yield executor


def answers(name: str, file: Path) -> np.ndarray:
    """What a model says to a few of its sample."""
    model = loading.get(name, weights=file)
    task = task_of(model)
    sample = task.data.encode(task.data.load("sample").subset(slice(32), "a few"))
    return np.asarray(model.predict(sample.inputs, verbose=0))


def losses_of_a_pair() -> list[float]:
    """Of both networks of `gan`, in three steps from the same weights."""
    room, _ = registry.find("gan")
    recipe = ModelSpec.of(room).task.default_recipe().override(precision="float32")
    model = loading.get("gan")
    task = task_of(model)
    batches = task.data.batches(task.data.load("sample"), recipe, seed=0)
    learner = task.objective.compiled_model(model, recipe, steps=3)
    random = np.random.default_rng(0)
    weights = learner.discriminator.get_weights()
    learner.discriminator.set_weights([random.normal(0, 0.05, each.shape) for each in weights])
    steps = [learner.train_on_batch(*batches[step], return_dict=True) for step in range(3)]
    return [float(step[name]) for step in steps for name in sorted(step)]


def losses_of_moved_texts() -> list[float]:
    """Of a small classifier that learns its texts moved against it as well, by epoch."""
    text_ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Embedding(50, 8, name="token_embedding")(text_ids)
    x = keras.layers.Dense(8, activation="tanh")(words)
    model = keras.Model(text_ids, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x)))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=each.shape) for each in model.get_weights()])
    learner = AdversarialTextTrainer(model, 2.0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    learner.compile(keras.optimizers.SGD(1.0), loss, metrics=["accuracy"])
    texts, labels = random.integers(0, 50, (64, 12)), np.eye(2)[random.integers(0, 2, 64)]
    learner.fit(texts.astype("int32"), labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
    figures = learner.history.history
    return figures["loss"] + figures["accuracy"]


def losses_of_an_lstm() -> list[float]:
    """Of two of the zoo's LSTM layers, by step."""
    series = keras.Input((None, 6))
    x = FastLSTM(8, return_sequences=True)(series)
    x = FastLSTM(8, return_sequences=True)(x)
    model = keras.Model(series, keras.layers.Dense(1)(x))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.5, each.shape) for each in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    inputs = random.normal(size=(4, 20, 6)).astype("float32")
    return [float(model.train_on_batch(inputs, inputs[..., :1])) for _ in range(4)]


@pytest.mark.parametrize("name", MODELS)
def test_one_training_step_has_a_finite_loss(name):
    model = loading.get(name, weights=None)
    before = helpers.all_weights(model)
    loss = helpers.train_one_step(model, name)
    assert np.isfinite(loss)
    after = helpers.all_weights(model)
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_fine_tuning_leaves_what_it_starts_from(tmp_path):
    start = loading.get("cifar_cnn_basic")
    before = helpers.all_weights(start)
    stages = {"head.epochs": 1, "epochs": 1}
    path = tmp_path / "run"
    run = fine_tuning.fine_tune(
        start, helpers.noise(24), class_names=[*"abc"], run_dir=path, **stages
    )
    assert len(run.history["loss"]) == 1
    for old, new in zip(before, helpers.all_weights(start), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="this is TensorFlow itself")
def test_it_answers_what_tensorflow_answers(name, tensorflow, tmp_path):
    has_weights = registry.info(name).pretrained
    file = tmp_path / "model.weights.h5"
    weights.save_weights(loading.get(name, weights="default" if has_weights else None), file)
    theirs = tensorflow.submit(answers, name, file).result()
    # Relative too: a price of thousands of dollars has its last digits behind the point.
    np.testing.assert_allclose(answers(name, file), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("learn", [losses_of_a_pair, losses_of_moved_texts, losses_of_an_lstm])
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="this is TensorFlow itself")
def test_it_learns_as_on_tensorflow(learn, tensorflow):
    figures = learn()
    assert len(set(figures)) > 2
    np.testing.assert_allclose(figures, tensorflow.submit(learn).result(), rtol=1e-3)
