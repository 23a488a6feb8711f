"""Queries a SavedModel in a process with plain TensorFlow and without keras_fm, as a server would.

    python -P query_export.py EXPORT/1 IMAGES.npy OUTPUTS.npz

Reads uint8 images `[count, rows, columns, 3]`; writes `logits` and `label`. The demo and the tests
run this file by its path.
"""

import sys

import numpy as np
import tensorflow as tf


def main(version: str, images: str, outputs: str) -> None:
    """Load the version, call its default signature, and write the outputs."""
    signature = tf.saved_model.load(version).signatures["serving_default"]
    tensors = signature(image=tf.constant(np.load(images, allow_pickle=False)))
    np.savez(outputs, logits=tensors["logits"], label=tensors["label"].numpy().astype("U"))
    if "keras_fm" in sys.modules:
        raise SystemExit("this process must not import keras_fm")


if __name__ == "__main__":
    main(*sys.argv[1:])
