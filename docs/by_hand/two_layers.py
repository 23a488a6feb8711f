"""Two layers of sigmoids, by hand: a ring around a disc, which no straight line separates.

python docs/by_hand/two_layers.py
"""

import numpy as np
import tensorflow as tf


def ring_and_disc(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points `[count, 2]` and classes `[count, 1]`, 0 in the disc and 1 on the ring, float32."""
    random = np.random.default_rng(seed)
    classes = np.arange(count) % 2
    radius = np.where(classes, random.uniform(1.5, 2.0, count), random.uniform(0.0, 1.0, count))
    angle = random.uniform(0, 2 * np.pi, count)
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return places.astype("float32"), classes[:, None].astype("float32")


def train(
    places: np.ndarray,
    classes: np.ndarray,
    *,
    width: int = 8,
    rate: float = 2.0,
    steps: int = 2000,
    seed: int = 0,
) -> list[float]:
    """The share of right answers after each step of gradient descent on all points."""
    random = tf.random.Generator.from_seed(seed)
    first, first_bias = tf.Variable(random.normal((2, width))), tf.Variable(tf.zeros(width))
    second, second_bias = tf.Variable(random.normal((width, 1))), tf.Variable(tf.zeros(1))
    variables = [first, first_bias, second, second_bias]

    @tf.function  # one graph, so that 2,000 steps take a second
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            hidden = tf.sigmoid(places @ first + first_bias)
            chance = tf.sigmoid(hidden @ second + second_bias)
            loss = -tf.reduce_mean(
                classes * tf.math.log(chance) + (1 - classes) * tf.math.log(1 - chance)
            )
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)
        return tf.reduce_mean(tf.cast((chance > 0.5) == (classes > 0.5), tf.float32))

    return [float(step()) for _ in range(steps)]


if __name__ == "__main__":
    right = train(*ring_and_disc())
    print(f"right: {right[0]:.0%} at first, {right[-1]:.0%} after {len(right)} steps")
