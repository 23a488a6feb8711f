"""The optimizer of a recipe."""

import keras

from keras_fm.optimizers.schedules import LinearWarmupDecay
from keras_fm.registry.recipe import Recipe


def make_optimizer(
    recipe: Recipe, steps: int, learning_rate: float | None = None
) -> keras.optimizers.Optimizer:
    """Make a new optimizer by the recipe.

    Args:
        recipe: The recipe.
        steps: The length of the training.
        learning_rate: The peak, where it is not the recipe's.
    """
    rate = learning_rate or recipe.learning_rate
    if recipe.schedule == "linear":
        rate = LinearWarmupDecay(rate, -(-steps // recipe.num_cycles), recipe.warmup_fraction)
    options = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.global_clipnorm or None,
    }
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=recipe.momentum, nesterov=recipe.nesterov, **options)
    if recipe.optimizer == "adamw":
        options["weight_decay"] = recipe.weight_decay  # it takes 0, but not None
    classes = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    return classes[recipe.optimizer](beta_1=recipe.beta_1, beta_2=recipe.beta_2, **options)
