"""Gradient descent for linear regression on points of y = 2x + 1 + U(0, 1).

    python docs/by_hand/line.py

The noise has a mean of 0.5, so the best fit is 2x + 1.5.
"""

import numpy as np
import tensorflow as tf


def points(count: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return x from 0 to 1, and y; each float32 `[count]`."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, count)
    y = 2 * x + 1 + rng.uniform(0, 1, count)
    return x.astype("float32"), y.astype("float32")


def descend(
    x: np.ndarray,
    y: np.ndarray,
    *,
    learning_rate: float = 0.5,
    threshold: float = 1e-4,
    max_steps: int = 10_000,
) -> tuple[float, float, int]:
    """Return slope, intercept and steps; stop when all gradients are below `threshold`."""
    slope, intercept = tf.Variable(0.0), tf.Variable(0.0)
    for steps in range(max_steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(slope * x + intercept - y))
        gradients = tape.gradient(loss, [slope, intercept])
        if max(abs(gradient) for gradient in gradients) < threshold:
            return float(slope), float(intercept), steps
        for variable, gradient in zip([slope, intercept], gradients, strict=True):
            variable.assign_sub(learning_rate * gradient)
    raise RuntimeError(
        f"a gradient is above {threshold} after {max_steps} steps; lower the learning rate"
    )


if __name__ == "__main__":
    slope, intercept, steps = descend(*points())
    print(f"y = {slope:.3f} x + {intercept:.3f} after {steps} steps")
