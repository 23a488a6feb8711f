"""What `fit` does, by hand: the training of `cifar_cnn_basic` by its recipe, a step at a time.

python docs/by_hand/fit.py
"""

from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.models.building import build
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks.base import task_of


def train(examples: Examples, recipe: Recipe, *, seed: int = 0) -> Iterator[float]:
    """Yield the loss of each batch before its step; the losses are those of `keras_fm.train`."""
    package, _ = registry.find("cifar_cnn_basic")
    keras.utils.set_random_seed(seed)
    model = build(ModelSpec.of(package))
    batches = task_of(model).data.batches(examples, recipe, seed)

    loss_function = keras.losses.CategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_function(targets, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients)
        return loss

    for epoch in range(recipe.epochs):
        batches.epoch = epoch
        for images, targets in batches.as_dataset():
            yield float(step(images, targets))


def default_recipe() -> Recipe:
    """Return the recipe of `cifar_cnn_basic`, for two epochs."""
    package, _ = registry.find("cifar_cnn_basic")
    return ModelSpec.of(package).task.default_recipe().override(epochs=2)


if __name__ == "__main__":
    for number, loss in enumerate(train(datasets.sample("cifar10"), default_recipe())):
        print(f"step {number}: loss {loss:.4f}")
