"""Gradient descent, nothing else: a line through points of y = 2x + 1 + U(0, 1).

    python docs/by_hand/line.py

The noise has a mean of 0.5, so the best line is 2x + 1.5.
"""

import numpy as np
import tensorflow as tf


def points(count: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """x from 0 to 1, and y; each float32 `[count]`."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 1, count)
    y = 2 * x + 1 + random.uniform(0, 1, count)
    return x.astype("float32"), y.astype("float32")


def descend(
    x: np.ndarray, y: np.ndarray, *, rate: float = 0.5, threshold: float = 1e-4, most: int = 10_000
) -> tuple[float, float, int]:
    """Slope, intercept and steps; it stops where no gradient is steeper than `threshold`."""
    slope, intercept = tf.Variable(0.0), tf.Variable(0.0)
    for steps in range(most):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(slope * x + intercept - y))
        gradients = tape.gradient(loss, [slope, intercept])
        if max(abs(gradient) for gradient in gradients) < threshold:
            return float(slope), float(intercept), steps
        for variable, gradient in zip([slope, intercept], gradients, strict=True):
            variable.assign_sub(rate * gradient)
    raise RuntimeError(f"still steeper than {threshold} after {most} steps; lower the rate")


if __name__ == "__main__":
    found_slope, found_intercept, steps = descend(*points())
    print(f"y = {found_slope:.3f} x + {found_intercept:.3f} after {steps} steps")
