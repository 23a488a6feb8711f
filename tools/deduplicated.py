"""Measures a model of a table on the test examples without a copy among the training examples.

    TFDS_DATA_DIR=... python tools/deduplicated.py mlp
    TFDS_DATA_DIR=... python tools/deduplicated.py mlp --columns carat clarity color cut price

A copy has the same value in all of the columns, the target among them; the default is all columns
and not the target. The same stone, measured twice, differs in its measures alone.
"""

import argparse

import numpy as np
import pandas as pd

from keras_fm.data.examples import Examples
from keras_fm.errors import KerasFmError, suggest
from keras_fm.evaluation import evaluation
from keras_fm.models import loading
from keras_fm.registry.metrics import METRICS
from keras_fm.tasks.base import task_of


def have_copies(test: Examples, train: Examples, columns: list[str], target: str) -> np.ndarray:
    """Return whether each test example has a copy among the training examples, `[examples]`."""

    def keys(examples: Examples) -> pd.MultiIndex:
        frame = pd.DataFrame({**examples.inputs, target: examples.targets})
        return pd.MultiIndex.from_frame(frame[columns])

    return keys(test).isin(keys(train))


def main() -> None:
    """Measure what the command line names, and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="of a model of the zoo")
    parser.add_argument("--columns", nargs="+", metavar="COLUMN", help="that a copy has in common")
    options = parser.parse_args()
    model = loading.get(options.name)
    task = task_of(model)
    entry, target = task.spec.entry, task.spec.target
    if not entry.task.startswith("tabular-"):
        parser.error(f"expected a model of a table; {options.name} is of {entry.task}")
    train, test = (
        task.data.load_dataset(entry.dataset, entry.split(split)) for split in ("train", "test")
    )
    target_name = "target" if target is None else target.name
    known = [*train.inputs, target_name]
    columns = options.columns or [*train.inputs]
    for column in columns:
        if column not in known:
            parser.error(f"no column {column!r}. {suggest(column, known)}")
    copies = have_copies(test, train, columns, target_name)
    for title, mask in (("all", np.ones(len(test), bool)), ("without copies", ~copies)):
        examples = test.subset(mask, f"{test.description}, {title}")
        scores = evaluation.evaluate(model, data=examples)
        figures = [
            f"{METRICS[name].title} {METRICS[name].format(scores[name])}"
            for name in scores
            if name in METRICS
        ]
        print(f"{title}: {len(examples):,} test examples, {', '.join(figures)}")


if __name__ == "__main__":
    try:
        main()
    except KerasFmError as error:
        raise SystemExit(f"deduplicated: {error}") from None
