import helpers
import keras
import pytest

from keras_fm.optimizers.optimizers import make_optimizer

CLASSES = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam,
           "adamw": keras.optimizers.AdamW}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_the_optimizer_has_the_settings_of_the_recipe(name):
    recipe = helpers.recipe(
        optimizer=name, learning_rate=0.25, weight_decay=0.01, global_clipnorm=2.0
    )
    optimizer = make_optimizer(recipe, steps=10)
    assert type(optimizer) is CLASSES[name]
    assert float(optimizer.learning_rate) == 0.25
    assert optimizer.weight_decay == 0.01
    assert optimizer.global_clipnorm == 2.0


def test_momentum_belongs_to_sgd_and_betas_to_adam():
    sgd = make_optimizer(helpers.recipe(optimizer="sgd", momentum=0.5, nesterov=True), steps=10)
    assert (sgd.momentum, sgd.nesterov) == (0.5, True)
    for name in ("adam", "adamw"):
        adam = make_optimizer(helpers.recipe(optimizer=name, beta_1=0.5, beta_2=0.75), steps=10)
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.75)


@pytest.mark.parametrize("name", CLASSES)
def test_zero_means_no_decay_and_no_clipping(name):
    optimizer = make_optimizer(helpers.recipe(optimizer=name), steps=10)
    assert not optimizer.weight_decay
    assert optimizer.global_clipnorm is None


def test_another_learning_rate_takes_the_place_of_the_recipes():
    recipe = helpers.recipe(learning_rate=0.25)
    assert float(make_optimizer(recipe, steps=10, learning_rate=0.5).learning_rate) == 0.5


@pytest.mark.parametrize(("num_cycles", "cycle"), [(1, 10), (3, 4)])
def test_the_cycles_of_a_linear_schedule_fill_the_training(num_cycles, cycle):
    recipe = helpers.recipe(schedule="linear", warmup_fraction=0.5, num_cycles=num_cycles)
    schedule = make_optimizer(recipe, steps=10)._learning_rate
    assert (schedule.peak, schedule.steps, schedule.warmup_fraction) == (0.1, cycle, 0.5)
