"""What the signatures of all tasks have in common."""

import numpy as np
import tensorflow as tf

from keras_fm.tasks.base import call_any_batch


def test_a_model_never_sees_an_empty_batch():
    """Convolutions of oneDNN refuse one, or leave its shape as it was."""
    batch_sizes = []

    def model(inputs, training):
        assert training is False
        batch_sizes.append(len(inputs["image"]))
        return [tf.reduce_sum(inputs["image"], [1, 2]), inputs["label"]]

    for count in (0, 3):
        inputs = {"image": np.ones((count, 4, 2), "float32"), "label": np.zeros(count, "int32")}
        sums, labels = call_any_batch(model, tf.nest.map_structure(tf.constant, inputs))
        np.testing.assert_array_equal(sums, [8.0] * count)
        assert labels.shape == (count,)
    assert batch_sizes == [1, 3]
