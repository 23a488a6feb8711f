"""The optimizer of a recipe."""

from typing import Any

import keras

from keras_fm.optimizers.gradient_norm import with_gradient_norm
from keras_fm.optimizers.muon import Muon
from keras_fm.optimizers.schedules import LinearWarmupDecay
from keras_fm.registry.recipe import Recipe


def make_optimizer(
    recipe: Recipe, steps: int, learning_rate: float | None = None, *, use_ema: bool = True
) -> keras.optimizers.Optimizer:
    """Make a new optimizer by the recipe, with the `gradient_norm` of its last step.

    Args:
        recipe: The recipe.
        steps: The length of the training.
        learning_rate: The peak, where it is not the recipe's.
        use_ema: Whether the optimizer keeps the moving averages of the weights, where the recipe
            has an `ema_momentum`; False where a trainer does.
    """
    rate = learning_rate or recipe.learning_rate
    if recipe.schedule == "linear":
        rate = LinearWarmupDecay(rate, -(-steps // recipe.num_cycles), recipe.warmup_fraction)
    options: dict[str, Any] = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.global_clipnorm or None,
    }
    if use_ema and recipe.ema_momentum:
        options |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    if recipe.optimizer == "sgd":
        return with_gradient_norm(keras.optimizers.SGD)(
            momentum=recipe.momentum, nesterov=recipe.nesterov, **options
        )
    if recipe.optimizer == "muon":
        return with_gradient_norm(Muon)(
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            adam_beta_1=recipe.beta_1,
            adam_beta_2=recipe.beta_2,
            adam_weight_decay=options["weight_decay"],
            **options,
        )
    if recipe.optimizer == "adamw":
        options["weight_decay"] = recipe.weight_decay  # it takes 0, but not None
    classes = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    optimizer_class = with_gradient_norm(classes[recipe.optimizer])
    return optimizer_class(beta_1=recipe.beta_1, beta_2=recipe.beta_2, **options)
