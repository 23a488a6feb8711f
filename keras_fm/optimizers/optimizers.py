"""The optimizer of a recipe."""

import keras

from keras_fm.optimizers.schedules import LinearWarmupDecay
from keras_fm.registry.recipe import Recipe


def make_optimizer(
    recipe: Recipe, steps: int, learning_rate: float | None = None
) -> keras.optimizers.Optimizer:
    """A new optimizer by the recipe.

    Args:
        steps: the length of the whole training. learning_rate: the peak, where it is not the
            recipe's own.
    """
    rate = learning_rate or recipe.learning_rate
    if recipe.schedule == "triangle":
        rate = LinearWarmupDecay(rate, -(-steps // recipe.cycles), recipe.warmup)
    shared = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm or None,
    }
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=recipe.momentum, nesterov=recipe.nesterov, **shared)
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    return kinds[recipe.optimizer](beta_1=recipe.beta_1, beta_2=recipe.beta_2, **shared)
