"""Accuracy of a classifier on corrupted examples, and what an entry claims of it."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.evaluation.calibration_claims import Claim
from keras_fm.evaluation.corruptions.corruption import corrupt
from keras_fm.evaluation.corruptions.names import SEVERITIES
from keras_fm.evaluation.slices import example_scores
from keras_fm.registry.entry import RobustnessClaims
from keras_fm.registry.metrics import CORRUPTED_ACCURACY, MEAN_CORRUPTION_ACCURACY
from keras_fm.tasks.base import Task, task_of


def measure_robustness(
    model: keras.Model, examples: Examples, corruptions: Sequence[str]
) -> RobustnessClaims:
    """Return the accuracy at all severities of each corruption.

    Args:
        model: A classifier of images or of texts.
        examples: Of its task; all are corrupted.
        corruptions: Their names.
    """
    return RobustnessClaims(
        num_examples=len(examples),
        uncorrupted=_accuracy(model, examples),
        corrupted={
            corruption: [
                _accuracy(model, corrupt(examples, corruption, severity + 1))
                for severity in range(SEVERITIES)
            ]
            for corruption in corruptions
        },
    )


def first_examples(examples: Examples, count: int) -> Examples:
    """Return the first examples of a split, which robustness is measured on."""
    return examples.subset(slice(count), f"first {count:,} of {examples.description}")


def check_robustness(claims: RobustnessClaims, measured: RobustnessClaims) -> Iterator[Claim]:
    """Yield each claim beside what was measured on the same examples."""
    count = measured.num_examples
    yield (
        "robustness: examples",
        f"{claims.num_examples:,}",
        f"{count:,}",
        (claims.num_examples == count),
    )
    rows = [("uncorrupted", [claims.uncorrupted], [measured.uncorrupted])]
    rows += [
        (corruption, values, measured.corrupted[corruption])
        for corruption, values in claims.corrupted.items()
    ]
    for name, claimed, values in rows:
        agree = map(CORRUPTED_ACCURACY.agrees, claimed, values, [count] * len(claimed))
        yield f"robustness: {name}", _format(claimed), _format(values), all(agree)
    metric = MEAN_CORRUPTION_ACCURACY
    means = claims.mean_accuracy, measured.mean_accuracy
    agrees = metric.agrees(*means, count)
    yield metric.title, metric.format(means[0]), metric.format(means[1]), agrees


def _accuracy(model: keras.Model, examples: Examples) -> float:
    task: Task = task_of(model)
    outputs = task.objective.outputs(model, examples)
    return float(np.mean(example_scores(task, outputs, examples).values))


def _format(values: Sequence[float]) -> str:
    """Write the accuracies of the severities from 1 to 5."""
    return " ".join(CORRUPTED_ACCURACY.format(value) for value in values)
