"""`verify`: measures every claim of an entry again."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import keras

from keras_fm import notebook, registry, store
from keras_fm.data import datasets, example_files
from keras_fm.errors import RunError
from keras_fm.evaluation.evaluation import Split, evaluate
from keras_fm.evaluation.flops import count_flops
from keras_fm.files import local_path
from keras_fm.formatting import format_repr, format_table
from keras_fm.models import loading, run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.registry import ModelPackage
from keras_fm.registry.entry import Weights
from keras_fm.registry.metrics import METRICS
from keras_fm.registry.recipe import fingerprint


@dataclass(frozen=True)
class ClaimCheck:
    """One claim: what the entry says, what was measured, and whether they agree."""

    name: str
    claimed: str
    measured: str
    passed: bool


@dataclass(frozen=True)
class ClaimReport:
    """All checks of one weights file."""

    name: str
    data: str
    checks: tuple[ClaimCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every claim was confirmed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        """Return a table of the checks."""
        return f"{self._title}\n{format_table(self._rows)}"

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
        rows: list[tuple[str, ...]] = [("claim", "claimed", "measured", "")]
        return rows + [
            (c.name, c.claimed, c.measured, "ok" if c.passed else "DRIFT") for c in self.checks
        ]


@preserved_global_state()
def verify(name: str | os.PathLike[str]) -> ClaimReport:
    """Measure parameters, FLOPs, file size, sha256 and metrics of a model's weights again.

    The metrics are measured on the full test split where it is on this machine, else on the bundled
    sample; the report says which.

    Of a fine-tuning its metrics are measured, on its validation examples, which its run keeps.

    Args:
        name: `"model"` (its default weights) or `"model.tag"`; or the directory of a fine-tuning.

    Raises:
        DataError: The run keeps no examples.
        RunError: It is no run.
    """
    if run_files.is_model_path(name):
        path = local_path(name)
        if path.suffix == run_files.SUFFIX:
            raise RunError(f"{name} has no claims: verify the run that it is from, or evaluate it")
        return _verify_run(path)
    package, tag = registry.find(str(name))
    record = package.entry.weights_of(tag)
    model = loading.get(name)
    file = store.find_weights(package, tag).path
    is_full = datasets.is_prepared(record.dataset)
    # A claim may be of a part of a split, such as "test[:250]".
    split = cast(Split, record.split if is_full else datasets.SAMPLE)
    metrics = evaluate(model, split=split)
    checks = [
        _exact("file size", record.file_size, file.stat().st_size),
        _exact("sha256", record.sha256, store.sha256_of(file)),
        _exact("recipe sha256", record.recipe_sha256, fingerprint(package.path / record.recipe)),
        *_initial_weights(package, record),
        _exact("parameters", record.num_parameters, model.count_params()),
    ]
    if keras.backend.backend() == "tensorflow":  # the counter reads a TensorFlow graph
        checks.append(_exact("FLOPs", record.flops, count_flops(model)))
    if is_full:
        checks.append(_exact("test examples", record.num_examples, metrics["num_examples"]))
    for metric, claimed in (record.metrics if is_full else record.sample_metrics).items():
        checks.append(_close(metric, claimed, metrics[metric], metrics["num_examples"]))
    return ClaimReport(str(name), metrics["data"], tuple(checks))


def _verify_run(path: Path) -> ClaimReport:
    model = loading.load_run(path)
    examples = example_files.load_examples(path / run_files.VALIDATION)
    metrics = evaluate(model, data=examples)
    checks = [
        _close(metric, claimed, metrics[metric], metrics["num_examples"])
        for metric, claimed in run_files.read_result(path)["metrics"].items()
        if metric in METRICS
    ]
    return ClaimReport(str(path), metrics["data"], tuple(checks))


def _initial_weights(package: ModelPackage, record: Weights) -> list[ClaimCheck]:
    """Return what training started from: a recipe of another task, or another model's weights."""
    checks = []
    if record.pretraining_sha256 is not None:
        actual = fingerprint(package.path / registry.PRETRAINING)
        checks.append(_exact("pretraining recipe sha256", record.pretraining_sha256, actual))
    if record.init_from_sha256 is not None:
        init_from = str(package.entry.init_from)
        actual = registry.weights_of(init_from).sha256
        checks.append(_exact(f"sha256 of {init_from}", record.init_from_sha256, actual))
    return checks


def _exact(name: str, claimed: object, measured: object) -> ClaimCheck:
    return ClaimCheck(name, _format(claimed), _format(measured), claimed == measured)


def _close(name: str, claimed: float, measured: float, num_examples: int) -> ClaimCheck:
    metric = METRICS[name]
    passed = metric.agrees(claimed, measured, num_examples)
    return ClaimCheck(metric.title, metric.format(claimed), metric.format(measured), passed)


def _format(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value}"[:16]
