import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry, tasks
from keras_fm.data import datasets
from keras_fm.data.batches import SetEpoch
from keras_fm.errors import KerasFmError
from keras_fm.models import building, loading, precision, spec
from keras_fm.trainers.gan import GANTrainer
from keras_fm.training import runs
from keras_fm.training.checkpoints import EpochCheckpoint

pytestmark = pytest.mark.usefixtures("tiny_gan")


class Stop(keras.callbacks.Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, batches, epoch):
        super().__init__()
        self.batches, self.epoch = batches, epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.batches.epoch == self.epoch and batch == 1:
            raise KeyboardInterrupt


def learner_and_batches(**changes):
    """A new pair, always the same, and its batches from the sample."""
    room, _ = registry.find("tiny_gan")
    recipe = room.recipe.override(**changes)
    keras.utils.set_random_seed(1)
    model = loading.get("tiny_gan", weights=None)
    task = tasks.task_of(model)
    batches = task.batches(datasets.sample("cifar10"), recipe, seed=1)
    return task.learner(model, recipe, steps=len(batches) * recipe.epochs), batches


def fit(learner, batches, *callbacks, epochs=3, initial_epoch=0):
    learner.fit(
        batches.as_dataset(), initial_epoch=initial_epoch, epochs=epochs, shuffle=False, verbose=0,
        callbacks=[SetEpoch(batches), *callbacks],
    )  # fmt: skip


def state(learner):
    """All that a training goes on from: weights of three networks, and both optimizers."""
    kept = [*learner.variables, *learner.optimizer.variables]
    kept += learner.discriminator_optimizer.variables
    return [np.array(variable) for variable in kept]


def test_both_learn_and_the_average_follows():
    learner, batches = learner_and_batches()
    before = [np.array(weight) for weight in learner.weights]
    fit(learner, batches, epochs=1)
    moved = [not np.array_equal(a, b) for a, b in zip(before, learner.weights, strict=True)]
    assert all(moved)
    assert set(learner.history.history) == {"generator_loss", "discriminator_loss"}


def test_without_averaging_the_average_is_the_generator_itself():
    learner, batches = learner_and_batches(moving_average=0.0)
    fit(learner, batches, epochs=1)
    assert helpers.same_weights(learner.average, learner.generator)


def test_the_average_forgets_its_random_start_quickly():
    learner, batches = learner_and_batches(moving_average=0.9)
    start = learner.average.get_weights()[0]
    learner.train_on_batch(*batches[0])
    first = learner.generator.get_weights()[0]
    expected = 2 / 11 * start + 9 / 11 * first
    np.testing.assert_allclose(learner.average.get_weights()[0], expected, atol=1e-6)


def test_the_discriminator_learns_to_tell_them_apart():
    learner, batches = learner_and_batches(learning_rate=1e-9, discriminator_rate=0.02)
    fit(learner, batches)
    losses = learner.history.history["discriminator_loss"]
    assert losses[-1] < losses[0]


def test_the_two_have_rates_of_their_own():
    learner, _ = learner_and_batches(learning_rate=0.5, discriminator_rate=0.25)
    assert float(learner.optimizer.learning_rate) == 0.5
    assert float(learner.discriminator_optimizer.learning_rate) == 0.25
    learner, _ = learner_and_batches(learning_rate=0.5)
    assert float(learner.discriminator_optimizer.learning_rate) == 0.5


def test_the_penalty_is_the_squared_slope_at_real_images():
    learner, batches = learner_and_batches(gradient_penalty=3.0)
    given, label = batches[0]
    image = given["image"][:7].astype("float32")  # an eighth of 50, rounded up
    step = 1e-2
    random = np.random.default_rng(0)
    tensors = keras.ops.cast(given["image"], "float32"), keras.ops.convert_to_tensor(label)
    measured = float(learner._penalty(*tensors))

    def score(images):
        return np.asarray(learner.discriminator({"image": images, "label": label[:7]}), "float64")

    # The slope along random directions, whose mean square is the squared slope by dimension.
    squares = []
    for _ in range(300):
        way = random.standard_normal(image.shape).astype("float32")
        slope = (score(image + step * way) - score(image - step * way)) / (2 * step) * 127.5
        squares.append(np.square(slope).mean())
    assert measured == pytest.approx(3 / 2 * np.mean(squares), rel=0.1)


def test_a_training_that_was_stopped_goes_on_to_the_same_end(tmp_path):
    whole, batches = learner_and_batches()
    fit(whole, batches)

    checkpoints = EpochCheckpoint(tmp_path)
    stopped, batches = learner_and_batches()
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, batches, checkpoints, Stop(batches, 1))
    resumed, batches = learner_and_batches()
    trained = checkpoints.restore(resumed)
    assert trained == 1
    fit(resumed, batches, initial_epoch=trained)
    for one, other in zip(state(whole), state(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(resumed.optimizer.iterations) == int(whole.optimizer.iterations) == 15


def test_a_run_resumes_as_the_zoos_others_do(whole_and_resumed):
    whole, resumed = whole_and_resumed("tiny_gan", 1, seed=3)
    assert helpers.same_weights(whole.model, resumed.model)
    assert resumed.metrics == whole.metrics
    assert helpers.same_weights(runs.load_run(resumed.path).model, resumed.model)


def test_both_compute_in_the_precision_of_the_training():
    room, _ = registry.find("tiny_gan")
    with precision.dtype_policy("bfloat16"):
        model = building.build(room, spec.default_spec(room))
    learner = tasks.task_of(model).learner(model, room.recipe, steps=1)
    for network, layer in ((learner.generator, "dense"), (learner.discriminator, "conv")):
        assert network.get_layer(layer).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_another_backend_says_what_to_do(monkeypatch):
    model = loading.get("tiny_gan", weights=None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    expected = r"tiny_gan.*JAX backends alone.*torch backend.*KERAS_BACKEND=tensorflow"
    with pytest.raises(KerasFmError, match=expected):
        GANTrainer(model, model)
