"""A network of two sigmoid layers on a ring around a disc, which are not linearly separable.

python docs/by_hand/two_layers.py
"""

import numpy as np
import tensorflow as tf


def ring_and_disc(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points `[count, 2]` and classes `[count, 1]`, 0 for the disc, 1 for the ring."""
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 2
    radius = np.where(classes, rng.uniform(1.5, 2.0, count), rng.uniform(0.0, 1.0, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return points.astype("float32"), classes[:, None].astype("float32")


def train(
    points: np.ndarray,
    classes: np.ndarray,
    *,
    width: int = 8,
    learning_rate: float = 2.0,
    steps: int = 2000,
    seed: int = 0,
) -> list[float]:
    """Return the accuracy before each step of gradient descent on all points."""
    rng = tf.random.Generator.from_seed(seed)
    kernel1, bias1 = tf.Variable(rng.normal((2, width))), tf.Variable(tf.zeros(width))
    kernel2, bias2 = tf.Variable(rng.normal((width, 1))), tf.Variable(tf.zeros(1))
    variables = [kernel1, bias1, kernel2, bias2]

    @tf.function  # one graph, so that 2,000 steps take a second
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            hidden = tf.sigmoid(points @ kernel1 + bias1)
            probability = tf.sigmoid(hidden @ kernel2 + bias2)
            loss = -tf.reduce_mean(
                classes * tf.math.log(probability) + (1 - classes) * tf.math.log(1 - probability)
            )
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(learning_rate * gradient)
        return tf.reduce_mean(tf.cast((probability > 0.5) == (classes > 0.5), tf.float32))

    return [float(step()) for _ in range(steps)]


if __name__ == "__main__":
    accuracy = train(*ring_and_disc())
    print(f"accuracy: {accuracy[0]:.0%} at first, {accuracy[-1]:.0%} after {len(accuracy)} steps")
