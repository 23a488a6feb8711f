"""`compare`: two models, runs or exports on the same examples."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy.stats import binomtest

from keras_fm.comparison.arguments import check_compare, check_same_task
from keras_fm.comparison.candidates import Candidate, open_candidate
from keras_fm.comparison.report import ComparisonReport, Flips
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.evaluation import run_examples
from keras_fm.evaluation.arguments import slice_names
from keras_fm.evaluation.evaluation import Split
from keras_fm.evaluation.intervals import difference_interval
from keras_fm.evaluation.loading import load_examples
from keras_fm.evaluation.slices import example_scores, masks_of
from keras_fm.models.global_state import preserved_global_state
from keras_fm.options import Verbose, check_int, with_checked_options
from keras_fm.progress import with_verbose
from keras_fm.tasks.base import ExampleScores


@with_checked_options
@with_verbose
@preserved_global_state()
def compare(
    a: str | os.PathLike[str] | keras.Model,
    b: str | os.PathLike[str] | keras.Model,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: Split | None = None,
    slice_by: str | Sequence[str] | None = None,
    max_flips: int = 10,
    verbose: Verbose = "auto",
) -> ComparisonReport:
    """Compare two classifiers or regressions on the same examples, with intervals.

    Args:
        a: A model's name, a run directory, an export, or a model: what is there.
        b: The same: what may take its place. Both have the same task, and the same classes or
            target; their inputs may differ.
        data: As in `evaluate`: a user's own; None for the examples that validated the run A, or B
            where A is no run; else the data set of the entry.
        text: Of a CSV file of texts the column of the texts.
        target: Of a CSV file of texts the column of their classes.
        split: As in `evaluate`.
        slice_by: As in `evaluate`: one or several names.
        max_flips: How many of the examples that one gets right and the other one wrong are listed.
        verbose: As in `evaluate`.

    Returns:
        Both metrics; the difference with a 95 % interval, by 1,000 paired bootstrap resamples of
        the examples; of classifiers the examples that flip, and McNemar's exact test.

    Raises:
        InvalidInputError: They have not the same task, classes or target, or are neither
            classifiers nor regressions.
        DataError: The data can't be had, or is none that both can be evaluated on.
        UnknownNameError: There is no such model, or its metrics can't be sliced so.

    Example:
        >>> report = keras_fm.compare("exports/live", "runs/mine", slice_by="label")
        >>> report.is_better, report.difference, report.interval
    """
    max_flips = check_int("max_flips", max_flips, 0)
    check_compare(a, b, data=data, text=text, target=target, split=split, slice_by=slice_by)
    first, second = open_candidate(a), open_candidate(b)
    check_same_task(first.spec.to_dict(), second.spec.to_dict(), first.name, second.name)
    names = slice_names(slice_by)
    user_data = None if data is None else UserData(data, text, target)
    examples, others = _load_examples(first, second, user_data, split, names)
    outputs = first.outputs(examples), second.outputs(others)
    if first.spec.labels:
        order = [second.spec.labels.index(label) for label in first.spec.labels]
        outputs = outputs[0], outputs[1][:, order]
    task = _judging_task(first, second)
    pair = [example_scores(task, values, examples) for values in outputs]
    metrics = [task.objective.score(values, examples) for values in outputs]
    return ComparisonReport(
        first.name,
        second.name,
        data=examples.description,
        num_examples=len(examples),
        metric=pair[0].metric,
        metrics={name: [metrics[0][name], metrics[1][name]] for name in metrics[0]},
        difference=pair[1].value - pair[0].value,
        interval=difference_interval(*pair),
        is_error=pair[0].is_error,
        flips=_flips(first.spec.labels, examples, outputs, max_flips),
        slices={
            name: _slices(pair, masks_of(first.task, examples, outputs[0], name)) for name in names
        },
    )


def _load_examples(
    first: Candidate,
    second: Candidate,
    user_data: UserData | None,
    split: str | None,
    slice_by: Sequence[str],
) -> tuple[Examples, Examples]:
    """Return the examples as each of both takes them."""
    path = first.run or second.run
    examples = load_examples(first.task, path, user_data, split, slice_by)
    if first.run is not None and second.run is not None:
        run_examples.warn_known_examples(second.run, second.task, examples)
    if _takes(second, examples):
        return examples, examples
    if user_data is None or isinstance(user_data.data, Examples):
        raise DataError(
            f"{examples.description}: expected examples that both take; {second.name} has other "
            f"inputs than {first.name}: name files that both can read (data=, or --data)"
        )
    others = load_examples(second.task, None, user_data, split)
    if not np.array_equal(_targets(first, examples), _targets(second, others)):
        raise DataError(
            f"{examples.description}: expected the same examples for both; {first.name} reads "
            f"{len(examples):,} of them and {second.name} {len(others):,}, or others"
        )
    return examples, others


def _takes(candidate: Candidate, examples: Examples) -> bool:
    """Return whether the examples of another model of as many classes are examples of this one."""
    try:
        candidate.task.data.check(examples)
    except DataError:
        return False
    return True


def _targets(candidate: Candidate, examples: Examples) -> np.ndarray:
    labels = candidate.spec.labels
    return np.array(labels, object)[examples.targets] if labels else examples.targets


def _judging_task(first: Candidate, second: Candidate) -> Any:
    """Return the task whose metrics are taken: of regressions one without logarithm, if any is."""
    has_log = first.spec.target is not None and first.spec.target.log
    return second.task if has_log else first.task


def _flips(
    labels: Sequence[str],
    examples: Examples,
    outputs: tuple[np.ndarray, np.ndarray],
    max_flips: int,
) -> Flips | None:
    """Return what flips between two classifiers; None of regressions."""
    if not labels:
        return None
    predicted = [values.argmax(-1) for values in outputs]
    a, b = (indices == examples.targets for indices in predicted)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    num_flips = only_a + only_b
    return Flips(
        only_a,
        only_b,
        both=int((a & b).sum()),
        neither=int((~a & ~b).sum()),
        p_value=float(binomtest(only_b, num_flips).pvalue) if num_flips else 1.0,
        examples=tuple(
            {
                "example": index if examples.names is None else str(examples.names[index]),
                "label": labels[examples.targets[index]],
                "a": labels[predicted[0][index]],
                "b": labels[predicted[1][index]],
            }
            for index in np.flatnonzero(a != b)[:max_flips].tolist()
        ),
    )


def _slices(
    pair: Sequence[ExampleScores], masks: dict[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name, mask in masks.items():
        a, b = (scores.subset(mask) for scores in pair)
        rows[name] = {
            "a": a.value,
            "b": b.value,
            "difference": b.value - a.value,
            "interval": difference_interval(a, b),
            "num_examples": int(mask.sum()),
        }
    sign = -1 if pair[0].is_error else 1
    return dict(sorted(rows.items(), key=lambda row: sign * row[1]["difference"]))
