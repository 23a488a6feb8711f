import helpers
import keras
import numpy as np
import pytest

from keras_fm.optimizers.muon import Muon
from keras_fm.optimizers.optimizers import make_optimizer

CLASSES = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam,
           "adamw": keras.optimizers.AdamW, "muon": Muon}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_the_optimizer_has_the_settings_of_the_recipe(name):
    recipe = helpers.recipe(
        optimizer=name, momentum=0.5, learning_rate=0.25, weight_decay=0.01, global_clipnorm=2.0,
        ema_momentum=0.75,
    )  # fmt: skip
    optimizer = make_optimizer(recipe, steps=10)
    assert isinstance(optimizer, CLASSES[name])
    assert float(optimizer.learning_rate) == 0.25
    assert optimizer.weight_decay == 0.01
    assert optimizer.global_clipnorm == 2.0
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.75)


def test_momentum_belongs_to_sgd_and_muon_and_betas_to_adam():
    sgd = make_optimizer(helpers.recipe(optimizer="sgd", momentum=0.5, nesterov=True), steps=10)
    assert (sgd.momentum, sgd.nesterov) == (0.5, True)
    for name in ("adam", "adamw"):
        adam = make_optimizer(helpers.recipe(optimizer=name, beta_1=0.5, beta_2=0.75), steps=10)
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.75)


@pytest.mark.parametrize("name", CLASSES)
def test_zero_means_no_decay_no_clipping_and_no_averages(name):
    optimizer = make_optimizer(helpers.recipe(optimizer=name, momentum=0.5), steps=10)
    assert not optimizer.weight_decay
    assert optimizer.global_clipnorm is None
    assert not optimizer.use_ema

    fields = {"momentum": 0.5, "beta_1": 0.75, "weight_decay": 0.25}
    muon = make_optimizer(helpers.recipe(optimizer="muon", **fields), steps=10)
    assert (muon.momentum, muon.nesterov, muon.adam_beta_1) == (0.5, False, 0.75)
    assert muon.adam_weight_decay == 0.25


def test_another_learning_rate_takes_the_place_of_the_recipes():
    recipe = helpers.recipe(learning_rate=0.25)
    assert float(make_optimizer(recipe, steps=10, learning_rate=0.5).learning_rate) == 0.5


@pytest.mark.parametrize(("num_cycles", "cycle"), [(1, 10), (3, 4)])
def test_the_cycles_of_a_linear_schedule_fill_the_training(num_cycles, cycle):
    recipe = helpers.recipe(schedule="linear", warmup_fraction=0.5, num_cycles=num_cycles)
    schedule = make_optimizer(recipe, steps=10)._learning_rate
    assert (schedule.peak, schedule.steps, schedule.warmup_fraction) == (0.1, cycle, 0.5)


@pytest.mark.parametrize("name", CLASSES)
def test_the_gradient_norm_is_that_of_all_variables_before_clipping(name):
    recipe = helpers.recipe(optimizer=name, momentum=0.5, global_clipnorm=0.5)
    optimizer = make_optimizer(recipe, steps=10)
    variables = [keras.Variable([1.0, 2.0]), keras.Variable([[1.0]]), keras.Variable(0.0)]
    optimizer.build(variables)
    assert float(optimizer.gradient_norm) == 0
    gradients = [keras.ops.array([3.0, 0.0]), keras.ops.array([[4.0]]), None]
    optimizer.apply(gradients[:2], variables[:2])
    assert float(optimizer.gradient_norm) == 5


def test_the_gradient_norm_of_an_embedding_adds_the_steps_of_a_row():
    embedding = keras.layers.Embedding(3, 1, embeddings_initializer="zeros")
    model = keras.Sequential([embedding, keras.layers.GlobalAveragePooling1D()])
    optimizer = make_optimizer(helpers.recipe(optimizer="sgd"), steps=10)
    model.compile(optimizer, loss=lambda target, output: 2 * output)
    model.train_on_batch(np.array([[1, 1, 2, 2]]), np.zeros((1, 1)))
    # Each row twice, by a quarter of 2 each time: 1 for each row.
    assert float(optimizer.gradient_norm) == pytest.approx(2**0.5)
