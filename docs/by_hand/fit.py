"""What `fit` does, by hand: the training of `cifar_cnn_basic` by its recipe, a step at a time.

python docs/by_hand/fit.py
"""

from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_fm import registry, tasks
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.models import building, spec
from keras_fm.registry.recipe import Recipe


def train(examples: Examples, recipe: Recipe, *, seed: int = 0) -> Iterator[float]:
    """The loss of each batch, before the step that it causes; the same as `keras_fm.train`'s."""
    room, _ = registry.find("cifar_cnn_basic")
    keras.utils.set_random_seed(seed)
    model = building.build(room, spec.default_spec(room))
    batches = tasks.task_of(model).batches(examples, recipe, seed)

    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(targets, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients)
        return loss

    for epoch in range(recipe.epochs):
        batches.epoch = epoch
        for images, targets in batches.as_dataset():
            yield float(step(images, targets))


if __name__ == "__main__":
    recipe = registry.find("cifar_cnn_basic")[0].recipe.override(epochs=2)
    for number, loss in enumerate(train(datasets.sample("cifar10"), recipe)):
        print(f"step {number}: loss {loss:.4f}")
