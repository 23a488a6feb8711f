"""Counts the floating-point operations of a model."""

import logging

import keras


def count_flops(model: keras.Model) -> int:
    """Return the floating-point operations for one example, as TensorFlow's profiler counts them.

    A multiply-add is two. Where the input has any length, it is for a length of 1: one token or
    character of a text.
    """
    import tensorflow as tf
    from tensorflow.compat.v1 import profiler

    specs = keras.tree.map_structure(
        lambda tensor: tf.TensorSpec([size or 1 for size in tensor.shape], tensor.dtype),
        model.input,
    )
    graph = tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(specs)
    builder = profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)  # the profiler warns that it is old; nothing newer counts FLOPs
    try:
        return profiler.profile(graph=graph.graph, options=options).total_float_ops
    finally:
        logger.setLevel(level)
