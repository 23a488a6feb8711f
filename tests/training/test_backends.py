"""Every model on the backend that KERAS_BACKEND names; `.ci/run` runs this file with jax."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data.batches import Batches, SetEpoch
from keras_fm.layers import FastLSTM
from keras_fm.models import loading, weights
from keras_fm.models.spec import spec_of
from keras_fm.optimizers import optimizers
from keras_fm.tasks.base import task_of
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer
from keras_fm.trainers.distillation import DistillationTrainer
from keras_fm.training import fine_tuning
from keras_fm.training.averaged_weights import AveragedWeights, LastWeights

# char_lstm_reviews is the network of char_lstm.
MODELS = [name for name in registry.list_models() if name != "char_lstm_reviews"]
QUICK_MODELS = {"cifar_cnn_basic", "linear_regression"}
NOT_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="this is TensorFlow itself"
)


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[Executor]:
    """A second process with the TensorFlow backend: one for all models, for it starts slowly."""
    with (
        pytest.MonkeyPatch.context() as environment,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor,
    ):
        environment.setenv("KERAS_BACKEND", "tensorflow")
        assert executor.submit(keras.backend.backend).result() == "tensorflow"
        yield executor


def outputs(name: str, file: Path) -> np.ndarray:
    """A model's outputs for some of its sample."""
    model = loading.get(name, weights=file)
    task = task_of(model)
    sample = task.data.encode(task.data.load("sample").subset(slice(32), "a few"))
    return np.asarray(model.predict(sample.inputs, verbose=0))


def gan_losses() -> list[float]:
    """The losses of both networks of `gan` in three steps from the same weights."""
    model = loading.get("gan")
    task = spec_of(model).task
    recipe = task.default_recipe().override(precision="float32")
    batches = task.data.batches(task.data.load("sample"), recipe, seed=0)
    trainer = task.objective.compiled_model(model, recipe, steps=3)
    random = np.random.default_rng(0)
    initial = [random.normal(0, 0.05, w.shape) for w in trainer.discriminator.get_weights()]
    trainer.discriminator.set_weights(initial)
    steps = [trainer.train_on_batch(*batches[step], return_dict=True) for step in range(3)]
    return [float(step[name]) for step in steps for name in sorted(step)]


def adversarial_losses() -> list[float]:
    """Loss and accuracy of a small text classifier in adversarial training, by epoch."""
    text_ids = keras.Input((None,), dtype="int32")
    embeddings = keras.layers.Embedding(50, 8, name="token_embedding")(text_ids)
    x = keras.layers.Dense(8, activation="tanh")(embeddings)
    model = keras.Model(text_ids, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x)))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=array.shape) for array in model.get_weights()])
    trainer = AdversarialTextTrainer(model, 2.0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    trainer.compile(keras.optimizers.SGD(1.0), loss, metrics=["accuracy"])
    texts, labels = random.integers(0, 50, (64, 12)), np.eye(2)[random.integers(0, 2, 64)]
    trainer.fit(texts.astype("int32"), labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
    history = trainer.history.history
    return history["loss"] + history["accuracy"]


def distillation_losses() -> list[float]:
    """Loss and accuracy of a linear classifier that learns from another one, by epoch."""
    random = np.random.default_rng(0)

    def classifier() -> keras.Model:
        features = keras.Input((6,))
        model = keras.Model(features, keras.layers.Dense(3)(features))
        model.set_weights([random.normal(size=array.shape) for array in model.get_weights()])
        return model

    trainer = DistillationTrainer(classifier(), classifier(), temperature=2.0, weight=0.5)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    trainer.compile(keras.optimizers.SGD(0.5), loss=loss, metrics=metrics)
    features = random.normal(size=(64, 6)).astype("float32")
    labels = np.eye(3, dtype="float32")[random.integers(0, 3, 64)]
    labels[48:] = 0  # no label
    trainer.fit(features, labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
    history = trainer.history.history
    return history["loss"] + history["accuracy"]


def averaged_muon_losses() -> list[float]:
    """Training and validation losses of a small network by Muon, with averaged weights, by epoch.

    The validation also needs the statistics of batch normalization of the averages.
    """
    image = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3)(image)
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    x = keras.layers.Reshape((16, 4))(keras.layers.ReLU()(x))
    x = keras.layers.MultiHeadAttention(2, 2)(x, x)
    model = keras.Model(image, keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(x)))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.5, w.shape) ** 2 for w in model.get_weights()])
    recipe = helpers.recipe(
        optimizer="muon", momentum=0.9, nesterov=True, learning_rate=0.02, weight_decay=0.1,
        global_clipnorm=1.0, ema_momentum=0.5, batch_size=16,
    )  # fmt: skip
    model.compile(
        optimizers.make_optimizer(recipe, steps=9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    images = random.normal(size=(64, 6, 6, 2)).astype("float32")
    labels = random.integers(0, 3, 64)
    batches = Batches(images[:48], labels[:48], recipe=recipe, seed=0)
    averaged = AveragedWeights(batches)
    history = model.fit(
        batches.as_dataset(), epochs=3, validation_data=(images[48:], labels[48:]), verbose=0,
        shuffle=False, callbacks=[SetEpoch(batches), averaged, LastWeights(averaged)],
    ).history  # fmt: skip
    final = model.evaluate(images[48:], labels[48:], verbose=0)
    assert final == pytest.approx(history["val_loss"][-1], rel=1e-4)
    return history["loss"] + history["val_loss"]


def lstm_losses() -> list[float]:
    """The losses of two of the zoo's LSTM layers, by step."""
    series = keras.Input((None, 6))
    x = FastLSTM(8, return_sequences=True)(series)
    x = FastLSTM(8, return_sequences=True)(x)
    model = keras.Model(series, keras.layers.Dense(1)(x))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.5, array.shape) for array in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    inputs = random.normal(size=(4, 20, 6)).astype("float32")
    return [float(model.train_on_batch(inputs, inputs[..., :1])) for _ in range(4)]


# On TensorFlow `tests/registry/test_zoo.py` trains a step of each.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK_MODELS else [NOT_TENSORFLOW]) for name in MODELS],
)
def test_a_training_step_has_a_finite_loss_and_changes_the_weights(name):
    model = loading.get(name, weights=None)
    initial = helpers.all_weights(model)
    loss = helpers.train_one_step(model, name)
    assert np.isfinite(loss)
    trained = helpers.all_weights(model)
    assert any(not np.array_equal(a, b) for a, b in zip(initial, trained, strict=True))


@pytest.mark.thorough  # on TensorFlow tests/training/test_fine_tuning.py tests it
def test_a_fine_tuning_does_not_change_the_pretrained_model(tmp_path):
    pretrained = loading.get("cifar_cnn_basic")
    initial = helpers.all_weights(pretrained)
    run = fine_tuning.fine_tune(
        pretrained, helpers.noise(24), class_names=[*"abc"], run_dir=tmp_path / "run",
        **{"head.epochs": 1, "epochs": 1},
    )  # fmt: skip
    assert len(run.history["loss"]) == 1
    for old, new in zip(initial, helpers.all_weights(pretrained), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", MODELS)
@NOT_TENSORFLOW
def test_the_outputs_are_those_of_tensorflow(name, tensorflow, tmp_path):
    has_weights = registry.info(name).pretrained
    file = tmp_path / "model.weights.h5"
    weights.save_weights(loading.get(name, weights="default" if has_weights else None), file)
    expected = tensorflow.submit(outputs, name, file).result()
    # Relative too: a price of thousands of dollars has its last digits behind the point.
    np.testing.assert_allclose(outputs(name, file), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "train",
    [gan_losses, adversarial_losses, distillation_losses, averaged_muon_losses, lstm_losses],
)
@NOT_TENSORFLOW
def test_the_losses_are_those_of_tensorflow(train, tensorflow):
    losses = train()
    assert len(set(losses)) > 2
    np.testing.assert_allclose(losses, tensorflow.submit(train).result(), rtol=1e-3)
