import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError, KerasFmError, SchemaError, UnknownNameError
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.trainers.adversarial_text import AdversarialTextTrainer
from keras_fm.training import fine_tuning, runs, training

pytestmark = pytest.mark.usefixtures("tiny_reader")

EPSILON = 2.0


def default_recipe(**overrides):
    package, _ = registry.find("tiny_reader")
    return ModelSpec.of(package).task.default_recipe().override(**overrides)


@pytest.fixture
def trainer():
    keras.utils.set_random_seed(0)
    model = loading.get("tiny_reader", weights=None)
    recipe = default_recipe(adversarial_epsilon=EPSILON)
    return task_of(model).objective.compiled_model(model, recipe, steps=4)


@pytest.fixture(scope="module")
def batch():
    """Token IDs, half of them padded, and their labels."""
    random = np.random.default_rng(0)
    text_ids = random.integers(2, 200, (8, 16)).astype("int32")
    text_ids[:4, 10:] = 0
    return tf.constant(text_ids), tf.one_hot(random.integers(0, 2, 8), 2)


def loss_of(trainer, embeddings, text_ids, labels):
    logits = trainer.from_embeddings([embeddings, text_ids])
    return trainer.compute_loss(text_ids, labels, logits)


def test_a_recipe_with_epsilon_is_trained_by_the_trainer(trainer):
    assert isinstance(trainer, AdversarialTextTrainer)
    assert trainer.epsilon == EPSILON
    model = loading.get("tiny_reader", weights=None)
    objective = task_of(model).objective
    assert objective.compiled_model(model, default_recipe(), steps=4) is model


def test_the_perturbation_has_norm_epsilon_and_raises_the_loss(trainer, batch):
    text_ids, labels = batch
    embeddings = trainer.token_embedding(text_ids)
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        loss = loss_of(trainer, embeddings, text_ids, labels)
    perturbation = trainer._perturb(tape.gradient(loss, embeddings))
    unit = np.sqrt(np.mean(np.square(trainer.token_embedding.embeddings.numpy())))
    norms = np.sqrt(np.square(perturbation.numpy()).sum(axis=(1, 2)))
    np.testing.assert_allclose(norms, EPSILON * unit, rtol=1e-4)
    raised, lowered = (
        loss_of(trainer, embeddings + sign * perturbation, text_ids, labels) for sign in (1, -1)
    )
    assert lowered < loss < raised


def test_a_step_follows_the_mean_of_the_clean_and_the_adversarial_gradient(trainer, batch):
    text_ids, labels = batch
    objective = task_of(trainer.model).objective.compile_options(
        helpers.recipe("text-classification")
    )
    trainer.compile(keras.optimizers.SGD(1.0), **objective)
    for layer in trainer.model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    initial = [variable.numpy() for variable in trainer.trainable_variables]

    def gradients(perturbation):
        with tf.GradientTape() as tape:
            embeddings = trainer.token_embedding(text_ids) + perturbation
            loss = loss_of(trainer, embeddings, text_ids, labels)
        by_embeddings, *by_variables = tape.gradient(
            loss, [embeddings, *trainer.trainable_variables]
        )
        return by_embeddings, [tf.convert_to_tensor(each).numpy() for each in by_variables]

    by_embeddings, clean = gradients(0.0)
    _, adversarial = gradients(trainer._perturb(by_embeddings))
    assert not np.allclose(clean[0], adversarial[0], atol=1e-6)
    trainer.train_on_batch(text_ids, labels)
    for variable, start, one, other in zip(
        trainer.trainable_variables, initial, clean, adversarial, strict=True
    ):
        np.testing.assert_allclose(variable.numpy(), start - (one + other) / 2, atol=1e-6)


def test_a_text_of_weight_zero_is_not_learned(batch):
    text_ids, labels = batch
    weights = tf.constant([1.0] * 4 + [0.0] * 4)
    others = tf.concat([labels[:4], 1 - labels[4:]], axis=0)
    options = task_of(loading.get("tiny_reader", weights=None)).objective.compile_options(
        helpers.recipe("text-classification")
    )

    def trained(labels, weights):
        keras.utils.set_random_seed(0)
        trainer = AdversarialTextTrainer(loading.get("tiny_reader", weights=None), EPSILON)
        trainer.compile(keras.optimizers.SGD(1.0), **options, run_eagerly=True)
        trainer.train_on_batch(text_ids, labels, weights)
        return trainer.model

    assert helpers.same_weights(trained(labels, weights), trained(others, weights))
    assert not helpers.same_weights(trained(labels, None), trained(others, None))


@pytest.mark.thorough
def test_a_resumed_training_equals_an_uninterrupted_one(uninterrupted_and_resumed, tmp_path):
    uninterrupted, resumed = uninterrupted_and_resumed(
        "tiny_reader", 1, adversarial_epsilon=EPSILON
    )
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert helpers.same_weights(runs.load_run(resumed.path).model, resumed.model)
    clean = training.train("tiny_reader", data="sample", run_dir=tmp_path / "clean")
    assert not helpers.same_weights(uninterrupted.model, clean.model)
    assert {"accuracy", "loss", "val_accuracy", "val_loss"} < set(uninterrupted.history)


def test_a_head_alone_has_no_token_embeddings_to_perturb():
    with pytest.raises(SchemaError, match=r'adversarial_epsilon.*trainable is "head".*received 2'):
        default_recipe(trainable="head", adversarial_epsilon=EPSILON)


def test_models_of_other_tasks_have_no_such_field(tmp_path):
    options = {"run_dir": tmp_path / "run", "adversarial_epsilon": EPSILON}
    with pytest.raises(UnknownNameError, match="no field 'adversarial_epsilon'"):
        training.train("cifar_cnn_basic", data="sample", **options)
    with pytest.raises(UnknownNameError, match="no field 'adversarial_epsilon'"):
        fine_tuning.fine_tune("cifar_cnn_basic", datasets.sample("cifar10"), **options)
    assert not (tmp_path / "run").exists()


def test_a_model_without_token_embeddings_is_refused_before_anything_is_written(
    tiny_reader, tmp_path
):
    file = tiny_reader / "model.py"
    file.write_text(file.read_text().replace('name="token_embedding"', 'name="tokens"'))
    with pytest.raises(InvalidInputError, match=r"epsilon = 2\.0.*tiny_reader does not: leave"):
        training.train(
            "tiny_reader", data="sample", run_dir=tmp_path / "run", adversarial_epsilon=EPSILON
        )
    assert not (tmp_path / "run").exists()


def test_a_shared_token_embedding_can_not_be_perturbed():
    text_ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(9, 4, name="token_embedding")
    twice = keras.layers.Add()([embedding(text_ids), embedding(text_ids)])
    with pytest.raises(InvalidInputError, match=r"adversarial_epsilon = 2\.0.*twice does not"):
        AdversarialTextTrainer(keras.Model(text_ids, twice, name="twice"), EPSILON)


@pytest.mark.parametrize("name", ["lstm", "mini_bert"])
def test_the_zoos_text_classifiers_can_be_trained_adversarially(name):
    AdversarialTextTrainer(loading.get(name, weights=None), EPSILON)


def test_another_backend_says_what_to_do(monkeypatch):
    model = loading.get("tiny_reader", weights=None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    expected = r"adversarial.*JAX backends alone.*torch.*KERAS_BACKEND=tensorflow, or set advers"
    with pytest.raises(KerasFmError, match=expected):
        AdversarialTextTrainer(model, EPSILON)
