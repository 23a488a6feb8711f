"""The sketch of an export, written when it is exported."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_fm.data.examples import Examples, take_rows
from keras_fm.errors import KerasFmError
from keras_fm.progress import say, track
from keras_fm.sketches.measuring import Call, Values, has_sketch, measure, without_sizes
from keras_fm.sketches.reference_examples import reference_examples
from keras_fm.sketches.sketch import Sketch, join_values, write_file
from keras_fm.tasks.base import PREDICT_BATCH_SIZE, Task

MAX_EXAMPLES = 2000


def write_sketch(version: Path, task: Task, run: Path | None, call: Call) -> None:
    """Write a sketch of the training inputs into an export's version folder.

    Where there is no such data at hand, a line says so.

    Args:
        version: The folder.
        task: Of the export.
        run: The run directory that is exported; None where it is none.
        call: Runs a signature of the export.
    """
    if not has_sketch(task.spec.task_name):
        return
    reference = reference_examples(task, run)
    if reference is None:
        say(
            "no sketch of the training inputs was made, which keras_fm.drift compares requests "
            "with: no training data is at hand; export a run directory, or let drift compare with "
            "data of yours (reference=, or --reference)"
        )
        return
    examples = _sample(reference.examples)
    try:
        values = join_values(_measure(task, call, examples))
    except KerasFmError as error:
        say(f"no sketch of the training inputs was made: {error}")
        return
    if not reference.has_sizes:
        values = without_sizes(values)
    write_file(version, Sketch.of(_describe(reference.examples, examples), values))


def _sample(examples: Examples) -> Examples:
    """Draw some examples, the same ones each time."""
    if len(examples) <= MAX_EXAMPLES:
        return examples
    random = np.random.default_rng(0)
    indices = np.sort(random.choice(len(examples), MAX_EXAMPLES, replace=False))
    return examples.subset(indices, examples.description)


def _describe(examples: Examples, sampled: Examples) -> str:
    if len(sampled) == len(examples):
        return examples.description
    return f"{len(sampled):,} of {len(examples):,} examples: {examples.description}"


def _measure(task: Task, call: Call, examples: Examples) -> Iterator[Values]:
    starts = range(0, len(examples), PREDICT_BATCH_SIZE)
    for start in track(starts, f"sketch of {len(examples):,} training inputs"):
        inputs = take_rows(examples.inputs, slice(start, start + PREDICT_BATCH_SIZE))
        yield measure(task, call, inputs)
