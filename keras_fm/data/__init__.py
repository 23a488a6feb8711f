"""Data sets and users' data: examples in memory, splits, training batches and augmentation.

`datasets` loads what TFDS has, and `user` what users bring; both become `Examples`.

May import preprocessing, registry, store, and what lies below them.
"""

from keras_fm.data.datasets import SAMPLE, load, sample
from keras_fm.data.examples import Examples, character_examples

__all__ = ["SAMPLE", "Examples", "character_examples", "load", "sample"]
