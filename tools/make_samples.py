"""Writes the bundled samples: real test examples for the demo and the tests.

    TFDS_DATA_DIR=... python tools/make_samples.py

The examples are sampled with a fixed seed, so that a second run writes the same ones; the classes,
where there are some, are balanced.
"""

from pathlib import Path

import numpy as np

from keras_fm import registry
from keras_fm.data import datasets

SAMPLES = Path(__file__).parents[1] / "keras_fm" / "samples"
EXAMPLES = 256
CHARACTERS = 4096


def choose(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return indices of `count` examples in test order, the classes as balanced as possible."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    # The k-th example of every class comes before the (k+1)-th of any.
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        rank[shuffled[labels[shuffled] == label]] = np.arange((labels == label).sum())
    return np.sort(np.lexsort((labels, rank))[:count])


def main() -> None:
    entries = {entry.dataset: entry for entry in map(registry.info, registry.list_models())}
    for dataset, entry in entries.items():
        test = datasets.load(dataset, entry.split("test"))
        if entry.task == "text-generation":
            chosen = np.arange(CHARACTERS)  # one passage: each target is the next character
        else:
            classes = test.targets if entry.labels else np.zeros(len(test), int)
            chosen = choose(classes, EXAMPLES)
        sample = test.subset(chosen, "sample")
        if isinstance(sample.inputs, dict):
            inputs = {f"inputs/{name}": column for name, column in sample.inputs.items()}
        elif sample.inputs.dtype == object:  # texts, which numpy would write as pickles
            inputs = {"inputs": sample.inputs.astype("S")}
        else:
            inputs = {"inputs": sample.inputs}
        path = SAMPLES / f"{dataset}.npz"
        # test_index: the index of each in the test split.
        np.savez_compressed(path, **inputs, targets=sample.targets, test_index=chosen)
        print(f"{path}: {len(chosen)} examples, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
