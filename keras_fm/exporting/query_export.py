"""Asks a SavedModel in a process with plain TensorFlow and without keras_fm, as a server would.

    python -P ask_export.py EXPORT/1 IMAGES.npy ANSWERS.npz

Reads uint8 images `[count, rows, columns, 3]`; writes `logits` and `label`. The demo and the tests
run this file by its path.
"""

import sys

import numpy as np
import tensorflow as tf


def main(export: str, images: str, answers: str) -> None:
    """Loads, asks once, and writes the answers."""
    serve = tf.saved_model.load(export).signatures["serving_default"]
    served = serve(image=tf.constant(np.load(images, allow_pickle=False)))
    np.savez(answers, logits=served["logits"], label=served["label"].numpy().astype("U"))
    if "keras_fm" in sys.modules:
        raise SystemExit("this was to be a process without keras_fm")


if __name__ == "__main__":
    main(*sys.argv[1:])
