import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.batches import SetEpoch
from keras_fm.errors import KerasFmError
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.trainers.gan import GANTrainer
from keras_fm.training import runs

pytestmark = pytest.mark.usefixtures("tiny_gan")


def trainer_and_batches(**overrides):
    """A new trainer, always with the same weights, and its batches of the sample."""
    package, _ = registry.find("tiny_gan")
    recipe = ModelSpec.of(package).task.default_recipe().override(**overrides)
    keras.utils.set_random_seed(1)
    model = loading.get("tiny_gan", weights=None)
    task = task_of(model)
    batches = task.data.batches(datasets.sample("cifar10"), recipe, seed=1)
    return task.objective.compiled_model(model, recipe, steps=len(batches) * recipe.epochs), batches


def fit(trainer, batches, epochs=1):
    options = {"epochs": epochs, "shuffle": False, "verbose": 0}
    trainer.fit(batches.as_dataset(), callbacks=[SetEpoch(batches)], **options)


def test_both_networks_train_and_the_average_follows():
    trainer, batches = trainer_and_batches()
    initial = [np.array(weight) for weight in trainer.weights]
    fit(trainer, batches)
    assert not any(np.array_equal(a, b) for a, b in zip(initial, trainer.weights, strict=True))
    assert set(trainer.history.history) == {"generator_loss", "discriminator_loss"}


def test_the_trained_generator_starts_with_the_weights_of_the_model():
    trainer, _ = trainer_and_batches()
    assert helpers.same_weights(trainer.average, trainer.generator)


@pytest.mark.parametrize("score", [-2.0, pytest.param(0.5, marks=pytest.mark.thorough)])
def test_the_losses_are_those_of_the_scores_of_real_and_generated_images(score):
    trainer, batches = trainer_and_batches()
    trainer.discriminator.get_layer("mix").set_weights([np.zeros((16, 1)), np.array([score])])
    losses = trainer.train_on_batch(*batches[0], return_dict=True)
    taken_for_real, taken_for_generated = np.log1p(np.exp([-score, score]))
    assert float(losses["generator_loss"]) == pytest.approx(taken_for_real, rel=1e-4)
    expected = taken_for_real + taken_for_generated
    assert float(losses["discriminator_loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.thorough
def test_with_a_momentum_of_zero_the_average_is_the_generator():
    trainer, batches = trainer_and_batches(ema_momentum=0.0)
    fit(trainer, batches)
    assert helpers.same_weights(trainer.average, trainer.generator)


def test_the_momentum_of_the_average_is_low_in_the_first_steps():
    trainer, batches = trainer_and_batches(ema_momentum=0.9)
    initial = trainer.average.get_weights()[0]
    trainer.train_on_batch(*batches[0])
    trained = trainer.generator.get_weights()[0]
    expected = 2 / 11 * initial + 9 / 11 * trained
    np.testing.assert_allclose(trainer.average.get_weights()[0], expected, atol=1e-6)


def test_the_discriminator_learns_to_tell_real_from_generated():
    trainer, batches = trainer_and_batches(learning_rate=1e-9, discriminator_learning_rate=0.02)
    fit(trainer, batches, epochs=3)
    losses = trainer.history.history["discriminator_loss"]
    assert losses[-1] < losses[0]


def test_the_discriminators_learning_rate_is_the_generators_unless_it_has_its_own():
    trainer, _ = trainer_and_batches(learning_rate=0.5, discriminator_learning_rate=0.25)
    assert float(trainer.optimizer.learning_rate) == 0.5
    assert float(trainer.discriminator_optimizer.learning_rate) == 0.25
    trainer, _ = trainer_and_batches(learning_rate=0.5)
    assert float(trainer.discriminator_optimizer.learning_rate) == 0.5


def test_r1_is_the_squared_gradient_of_the_score_at_real_images():
    trainer, batches = trainer_and_batches(r1_gamma=3.0)
    inputs, label = batches[0]
    image = inputs["image"][:7].astype("float32")  # an eighth of 50, rounded up
    step = 1e-2
    random = np.random.default_rng(0)
    label = keras.ops.convert_to_tensor(label)
    penalty = float(trainer._r1_penalty(keras.ops.cast(inputs["image"], "float32"), label))

    @tf.function
    def score(images):
        return trainer.discriminator({"image": images, "label": label[:7]})

    # Slopes along random directions, whose mean square is the squared gradient by dimension.
    squares = []
    for _ in range(300):
        direction = random.standard_normal(image.shape).astype("float32")
        above, below = (np.asarray(score(image + sign * step * direction), "float64")
                        for sign in (1, -1))  # fmt: skip
        squares.append(np.square((above - below) / (2 * step) * 127.5).mean())
    assert penalty == pytest.approx(3 / 2 * np.mean(squares), rel=0.1)


def test_the_states_of_both_optimizers_are_variables_of_the_trainer():
    """Keras' `fit` on JAX carries the variables of one from step to step."""
    trainer, _ = trainer_and_batches()
    carried = {id(variable) for variable in trainer.non_trainable_variables}
    state = trainer.discriminator_optimizer.variables
    assert len(state) > 2
    assert {id(variable) for variable in state} <= carried


def test_a_gamma_of_zero_is_no_penalty():
    trainer, batches = trainer_and_batches(r1_gamma=0.0)
    inputs, label = batches[0]
    assert trainer._r1_penalty(inputs["image"], label) == 0


@pytest.mark.thorough
def test_a_resumed_run_equals_an_uninterrupted_one(uninterrupted_and_resumed):
    # Equal weights of the average are proof that both networks and both optimizers were restored.
    uninterrupted, resumed = uninterrupted_and_resumed("tiny_gan", 1, epochs=3, seed=3)
    assert len(resumed.history["generator_loss"]) == 3
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert resumed.metrics == uninterrupted.metrics
    assert helpers.same_weights(runs.load_run(resumed.path).model, resumed.model)


def test_both_networks_compute_in_the_precision_of_the_training():
    package, _ = registry.find("tiny_gan")
    spec = ModelSpec.of(package)
    model = building.build_for_training(spec, seed=0, precision="bfloat16")
    trainer = spec.task.objective.compiled_model(model, spec.task.default_recipe(), steps=1)
    for network, layer in ((trainer.generator, "dense"), (trainer.discriminator, "conv")):
        assert network.get_layer(layer).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_another_backend_says_what_to_do(monkeypatch):
    model = loading.get("tiny_gan", weights=None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    expected = r"tiny_gan.*JAX backends alone.*torch backend.*KERAS_BACKEND=tensorflow"
    with pytest.raises(KerasFmError, match=expected):
        GANTrainer(model, model)
