"""`verify`: measures every claim of an entry again."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import keras

from keras_fm import notebook, registry, store
from keras_fm.data import datasets
from keras_fm.evaluation import durations, run_examples
from keras_fm.evaluation.arguments import check_verify
from keras_fm.evaluation.calibrating import shipped_calibration
from keras_fm.evaluation.calibration_claims import (
    check_claims,
    check_file,
    evaluate_options,
    missing_data,
)
from keras_fm.evaluation.evaluation import Split, evaluate
from keras_fm.evaluation.flops import count_flops
from keras_fm.evaluation.robustness import check_robustness, first_examples, measure_robustness
from keras_fm.evaluation.slice_claims import check_slices
from keras_fm.files import local_path
from keras_fm.formatting import format_repr, format_table
from keras_fm.models import loading, run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.spec import spec_of
from keras_fm.options import Verbose, with_checked_options
from keras_fm.progress import current_verbose, say, with_verbose
from keras_fm.registry import ModelPackage
from keras_fm.registry.entry import RobustnessClaims, Weights
from keras_fm.registry.metrics import METRICS
from keras_fm.registry.recipe import fingerprint
from keras_fm.tasks.base import task_of

# Two cores have some 20 billion a second: what has more than these is no matter of a minute or two.
_MINUTES_OF_FLOPS = 3e12
_SECONDS_OF_FLOPS = 2e11  # of less it is not worth to say how long it takes


@dataclass(frozen=True)
class ClaimCheck:
    """One claim: what the entry says, what was measured, and whether they agree."""

    name: str
    claimed: str
    measured: str
    passed: bool

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The cells of a table."""
        return self.name, self.claimed, self.measured, "ok" if self.passed else "DRIFT"


OnCheck = Callable[[ClaimCheck], None]


@dataclass(frozen=True)
class ClaimReport:
    """All checks of one weights file; `left_out` are the claims that `quick` does not measure."""

    name: str
    data: str
    checks: tuple[ClaimCheck, ...]
    left_out: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every claim was confirmed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        """Return a table of the checks."""
        lines = [self._title, format_table(self._rows)]
        if self.left_out:
            lines.append(f"left out, for they take minutes: {', '.join(self.left_out)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return the same."""
        return format_repr(str(self).splitlines())

    def _repr_html_(self) -> str:
        header, *rows = self._rows
        cells = [[notebook.escape(cell) for cell in row] for row in rows]
        return f"<p><b>{notebook.escape(self._title)}</b></p>{notebook.table(cells, header)}"

    @property
    def _title(self) -> str:
        return f"{self.name}, measured on {self.data}"

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        return [("claim", "claimed", "measured", ""), *(check.row for check in self.checks)]


@with_checked_options
@with_verbose
@preserved_global_state()
def verify(
    name: str | os.PathLike[str],
    *,
    quick: bool = False,
    verbose: Verbose = "auto",
    on_check: OnCheck | None = None,
) -> ClaimReport:
    """Measure parameters, FLOPs, file size, sha256 and metrics of a model's weights again.

    The metrics are measured on the full test split where it is on this machine, else on the bundled
    sample; the report says which. On the full one, what is claimed of slices, calibration and
    robustness of a classifier is measured, too.

    Of a run its metrics are measured, on the examples that validated it: its directory keeps those
    of a user's own data, others are loaded from their data set again.

    Args:
        name: `"model"` (its default weights) or `"model.tag"`; or a run directory.
        quick: Leaves out what takes minutes: metrics that a model is trained for, slices,
            calibration and robustness, and the test split of a large model, in whose place the
            bundled sample is measured. The report says what was left out.
        verbose: 1 says what is measured and draws bars, 2 says it without bars, 0 is silent;
            `"auto"` is 1 on a terminal and in a notebook, else 2.
        on_check: Is called with each claim as soon as it is measured.

    Raises:
        DataError: No example validated the run, or they can't be had.
        RunError: It is no run.
    """
    check_verify(name)
    if run_files.is_model_path(name):
        return _verify_run(local_path(name), on_check)
    package, tag = registry.find(str(name))
    record = package.entry.weights_of(tag)
    model = loading.get(name)
    file = store.find_weights(package, tag).path
    is_full = datasets.is_prepared(record.dataset)
    left_out: list[str] = []
    if is_full and quick and _takes_minutes(package, record):
        is_full = False
        left_out.append(f"all {record.num_examples:,} test examples, in place of the sample")
    claims = record.metrics if is_full else record.sample_metrics
    if quick:
        slow = [metric for metric in claims if METRICS[metric].needs_training]
        left_out += [METRICS[metric].title for metric in slow]
        claims = {metric: value for metric, value in claims.items() if metric not in slow}
    calibration, robustness, slices = record.calibration, record.robustness, record.slices
    if quick or not is_full:
        left_out += _titles_of_details(record)
        calibration, robustness, slices = None, None, {}
    left_out += [f"AUROC against {name}, which is not here" for name in missing_data(calibration)]
    checks = _Checks(on_check)
    checks.add(_exact("file size", record.file_size, file.stat().st_size))
    checks.add(_exact("sha256", record.sha256, store.sha256_of(file)))
    recipe_file = package.path / record.recipe
    checks.add(_exact("recipe sha256", record.recipe_sha256, fingerprint(recipe_file)))
    checks.add(*_initial_weights(package, record))
    checks.add(*(ClaimCheck(*claim) for claim in check_file(package, record.calibration)))
    checks.add(_exact("parameters", record.num_parameters, model.count_params()))
    if keras.backend.backend() == "tensorflow":  # the counter reads a TensorFlow graph
        checks.add(_exact("FLOPs", record.flops, count_flops(model)))
    if is_full:
        _announce(model, record, claims)
    measured: set[str] = set()

    def add_measured(metrics: Mapping[str, float]) -> None:
        for metric, claimed in claims.items():
            if metric in metrics and metric not in measured:
                measured.add(metric)
                checks.add(_close(metric, claimed, metrics[metric], record.num_examples))

    measure = partial(evaluate, quick=True) if quick else evaluate
    if any(METRICS[metric].needs_training for metric in claims):  # the others are there long before
        measure = partial(evaluate, on_metrics=add_measured)
    # A claim may be of a part of a split, such as "test[:250]".
    options = evaluate_options(calibration) | ({"slice_by": [*slices]} if slices else {})
    measured_model: Any = model
    if calibration is not None:
        fitted = shipped_calibration(package.path / calibration.file, calibration.sha256)
        measured_model = loading.with_calibration(model, fitted)
    split = cast(Split, record.split if is_full else datasets.SAMPLE)
    metrics = measure(measured_model, split=split, **options)
    if is_full:
        checks.add(_exact("test examples", record.num_examples, metrics["num_examples"]))
    for metric, claimed in claims.items():
        if metric not in measured:
            checks.add(_close(metric, claimed, metrics[metric], metrics["num_examples"]))
    checks.add(*(ClaimCheck(*claim) for claim in check_slices(slices, metrics)))
    checks.add(*(ClaimCheck(*claim) for claim in check_claims(package, calibration, metrics)))
    if robustness is not None:
        checks.add(*_measure_robustness(model, split, robustness))
    return ClaimReport(str(name), metrics["data"], tuple(checks.checks), tuple(left_out))


class _Checks:
    """The checks so far; each is handed on as soon as it is made."""

    def __init__(self, on_check: OnCheck | None) -> None:
        self.checks: list[ClaimCheck] = []
        self.on_check = on_check

    def add(self, *checks: ClaimCheck) -> None:
        for check in checks:
            self.checks.append(check)
            if self.on_check is not None:
                self.on_check(check)


def _announce(model: keras.Model, record: Weights, claims: Mapping[str, float]) -> None:
    """Say what is measured now, and how long it takes, where that is more than a moment."""
    if not current_verbose():
        return
    package = spec_of(model).package
    titles = ", ".join(METRICS[metric].title for metric in claims)
    measured = f"measuring {titles} on {record.num_examples:,} test examples"
    if _flops(package, record) > _SECONDS_OF_FLOPS:
        measured += durations.measured_duration(model, record.num_examples)
    say(measured)
    for metric in claims:
        if METRICS[metric].needs_training and package.entry.evaluator:
            training = durations.classifier_training(str(package.entry.evaluator))
            say(f"for the {METRICS[metric].title}, last of all, {training}")


def _titles_of_details(record: Weights) -> list[str]:
    """Return what is claimed of all test examples beside the metrics."""
    details = {
        "slices": record.slices,
        "the calibration": record.calibration,
        "robustness": record.robustness,
    }
    titles = [title for title, claims in details.items() if claims]
    return [f"what is claimed of {', '.join(titles)} on all test examples"] if titles else []


def _measure_robustness(
    model: keras.Model, split: Split, claims: RobustnessClaims
) -> list[ClaimCheck]:
    examples = first_examples(task_of(model).data.load(split), claims.num_examples)
    if current_verbose():
        count = len(claims.corrupted)
        say(f"measuring robustness: {count} corruptions of {examples.description}")
    measured = measure_robustness(model, examples, [*claims.corrupted])
    return [ClaimCheck(*claim) for claim in check_robustness(claims, measured)]


def _takes_minutes(package: ModelPackage, record: Weights) -> bool:
    """Estimate from the FLOPs whether a test split takes minutes on two cores."""
    return _flops(package, record) > _MINUTES_OF_FLOPS


def _flops(package: ModelPackage, record: Weights) -> float:
    """Return the FLOPs of a test split at most: of a text those of `max_length` tokens."""
    length = package.entry.inputs[0].max_length or 1
    return float(record.flops * record.num_examples * length)


def _verify_run(path: Path, on_check: OnCheck | None) -> ClaimReport:
    model = loading.load_run(path)
    examples = run_examples.validation_examples(path, spec_of(model).task)
    claims = [name for name in run_files.read_result(path)["metrics"] if name in METRICS]
    titles = ", ".join(METRICS[name].title for name in claims)
    say(f"measuring {titles} on {len(examples):,} validation examples")
    metrics = evaluate(model, data=examples)
    checks = _Checks(on_check)
    for metric, claimed in run_files.read_result(path)["metrics"].items():
        if metric in METRICS:
            checks.add(_close(metric, claimed, metrics[metric], metrics["num_examples"]))
    return ClaimReport(str(path), metrics["data"], tuple(checks.checks))


def _initial_weights(package: ModelPackage, record: Weights) -> list[ClaimCheck]:
    """Return what training began with: a recipe of another task, other models' weights."""
    checks = []
    if record.pretraining_sha256 is not None:
        actual = fingerprint(package.path / registry.PRETRAINING)
        checks.append(_exact("pretraining recipe sha256", record.pretraining_sha256, actual))
    for name, claimed in (
        (package.entry.init_from, record.init_from_sha256),
        (record.teacher, record.teacher_sha256),
    ):
        if claimed is not None:
            actual = registry.weights_of(str(name)).sha256
            checks.append(_exact(f"sha256 of {name}", claimed, actual))
    return checks


def _exact(name: str, claimed: object, measured: object) -> ClaimCheck:
    return ClaimCheck(name, _format(claimed), _format(measured), claimed == measured)


def _close(name: str, claimed: float, measured: float, num_examples: int) -> ClaimCheck:
    metric = METRICS[name]
    passed = metric.agrees(claimed, measured, num_examples)
    return ClaimCheck(metric.title, metric.format(claimed), metric.format(measured), passed)


def _format(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value}"[:16]
