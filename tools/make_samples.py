"""Writes the bundled samples: real test examples, class-balanced, for the demo and the tests.

    TFDS_DATA_DIR=... python tools/make_samples.py

The choice is drawn with a fixed seed, so that a second run writes the same examples.
"""

from pathlib import Path

import numpy as np

from keras_fm import data

SAMPLES = Path(__file__).parents[1] / "keras_fm" / "samples"
EXAMPLES = 256


def choose(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Indices of `count` examples in test order, the classes as even as `count` allows."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    # The k-th example of every class comes before the (k+1)-th of any.
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        rank[shuffled[labels[shuffled] == label]] = np.arange((labels == label).sum())
    return np.sort(np.lexsort((labels, rank))[:count])


def main() -> None:
    for dataset in ["cifar10"]:
        test = data.load(dataset, "test")
        chosen = choose(test.targets, EXAMPLES)
        path = SAMPLES / f"{dataset}.npz"
        np.savez_compressed(
            path,
            inputs=test.inputs[chosen],
            targets=test.targets[chosen].astype(np.int64),
            test_index=chosen,  # the place of each in TFDS's test order
        )
        print(f"{path}: {len(chosen)} examples, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
