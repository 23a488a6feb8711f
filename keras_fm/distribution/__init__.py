"""Training on several devices: `tf.distribute` on TensorFlow, `keras.distribution` on JAX.

May import backend, errors, files, logs and options.
"""
