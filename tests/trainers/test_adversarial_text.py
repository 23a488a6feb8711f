import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError, KerasFmError, SchemaError
from keras_fm.models import loading
from keras_fm.tasks.base import task_of
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer
from keras_fm.training import fine_tuning, runs, training

pytestmark = pytest.mark.usefixtures("tiny_reader")


@pytest.fixture
def learner():
    keras.utils.set_random_seed(0)
    model = loading.get("tiny_reader", weights=None)
    recipe = registry.find("tiny_reader")[0].recipe.override(adversarial_epsilon=2.0)
    return task_of(model).objective.compiled_model(model, recipe, steps=4)


def texts():
    random = np.random.default_rng(0)
    numbers = random.integers(2, 200, (8, 16)).astype("int32")
    numbers[:4, 10:] = 0
    return tf.constant(numbers), tf.one_hot(random.integers(0, 2, 8), 2)


def loss_of(learner, vectors, numbers, labels):
    return learner.compute_loss(numbers, labels, learner.rest([vectors, numbers]))


def test_each_text_moves_as_far_as_asked_against_the_model(learner):
    numbers, labels = texts()
    vectors = learner.words(numbers)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = loss_of(learner, vectors, numbers, labels)
    shift = learner._shift(tape.gradient(loss, vectors))
    usual = np.sqrt(np.mean(np.square(learner.words.embeddings.numpy())))
    lengths = np.sqrt(np.square(shift.numpy()).sum(axis=(1, 2)))
    np.testing.assert_allclose(lengths, 2.0 * usual, rtol=1e-4)
    moved = [loss_of(learner, vectors + way * shift, numbers, labels) for way in (1, -1)]
    assert moved[1] < loss < moved[0]


def test_a_step_follows_the_mean_slope_of_both(learner):
    numbers, labels = texts()
    objective = task_of(learner.model).objective.compile_options(helpers.recipe())
    learner.compile(keras.optimizers.SGD(1.0), **objective)
    for layer in learner.model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    before = [variable.numpy() for variable in learner.trainable_variables]

    def slopes(shift):
        with tf.GradientTape() as tape:
            vectors = learner.words(numbers) + shift
            loss = loss_of(learner, vectors, numbers, labels)
        to_vectors, *found = tape.gradient(loss, [vectors, *learner.trainable_variables])
        return to_vectors, [tf.convert_to_tensor(slope).numpy() for slope in found]

    to_vectors, plain = slopes(0.0)
    _, shifted = slopes(learner._shift(to_vectors))
    learner.train_on_batch(numbers, labels)
    for variable, old, one, other in zip(
        learner.trainable_variables, before, plain, shifted, strict=True
    ):
        np.testing.assert_allclose(variable.numpy(), old - (one + other) / 2, atol=1e-6)


def test_a_training_that_was_stopped_goes_on_to_the_same_end(whole_and_resumed, tmp_path):
    whole, resumed = whole_and_resumed("tiny_reader", 1, adversarial_epsilon=2.0)
    assert helpers.same_weights(whole.model, resumed.model)
    assert helpers.same_weights(runs.load_run(resumed.path).model, resumed.model)
    plain = training.train("tiny_reader", data="sample", run_dir=tmp_path / "plain")
    assert not helpers.same_weights(whole.model, plain.model)
    assert {"accuracy", "loss", "val_accuracy", "val_loss"} < set(whole.history)


def test_a_head_alone_has_no_words_to_move():
    with pytest.raises(SchemaError, match=r'adversarial.*learns is "head".*received 2.0'):
        helpers.recipe().override(trainable="head", adversarial_epsilon=2.0)


def test_other_models_are_refused_before_anything_is_written(tmp_path):
    complaint = "classifiers of texts, which cifar_cnn_basic is not.*received 2.0"
    asked = {"run_dir": tmp_path / "run", "adversarial_epsilon": 2.0}
    with pytest.raises(InvalidInputError, match=complaint):
        training.train("cifar_cnn_basic", data="sample", **asked)
    with pytest.raises(InvalidInputError, match=complaint):
        fine_tuning.fine_tune("cifar_cnn_basic", datasets.sample("cifar10"), **asked)
    assert not (tmp_path / "run").exists()


def test_words_that_are_looked_up_in_two_places_can_not_be_moved():
    text_ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Embedding(9, 4, name="token_embedding")
    twice = keras.layers.Add()([words(text_ids), words(text_ids)])
    with pytest.raises(InvalidInputError, match=r"adversarial = 2.0.*one place; twice does not"):
        AdversarialTextTrainer(keras.Model(text_ids, twice, name="twice"), 2.0)


def test_lstm_and_mini_bert_look_up_theirs_once():
    for name in ("lstm", "mini_bert"):
        AdversarialTextTrainer(loading.get(name, weights=None), 2.0)


def test_another_backend_says_what_to_do(monkeypatch):
    model = loading.get("tiny_reader", weights=None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    expected = r"adversarial.*JAX backends alone.*torch.*KERAS_BACKEND=tensorflow, or set advers"
    with pytest.raises(KerasFmError, match=expected):
        AdversarialTextTrainer(model, 2.0)
