"""Measures every claim of an entry again."""

import os
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_fm import registry, store
from keras_fm.data import datasets, example_files
from keras_fm.errors import RunError
from keras_fm.evaluation import evaluation
from keras_fm.evaluation.flops import count_flops
from keras_fm.models import loading, run_files
from keras_fm.registry import recipe
from keras_fm.registry.entry import Weights
from keras_fm.registry.metrics import METRICS
from keras_fm.training import runs


@dataclass(frozen=True)
class ClaimCheck:
    """One claim: what the entry says, what was measured, and whether they agree."""

    claim: str
    claimed: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class ClaimReport:
    """All checks of one weights file."""

    name: str
    data: str
    checks: tuple[ClaimCheck, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(check.holds for check in self.checks)

    def __str__(self) -> str:
        rows = [("claim", "claimed", "measured", "")]
        rows += [
            (c.claim, c.claimed, c.measured, "ok" if c.holds else "DRIFT") for c in self.checks
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"{self.name}, measured on {self.data}", *lines])


def verify(name: str | os.PathLike[str]) -> ClaimReport:
    """Measures parameters, FLOPs, bytes, sha256 and metrics of a model's weights again.

    The metrics are measured on the full test split where it lies on this machine, else on the
    bundled sample; the report says which.

    Of a fine-tuning its metrics, on the examples that it was measured on: its run keeps them.

    Args:
        name: `"model"` (its default weights) or `"model.tag"`; or the directory of a fine-tuning.

    Raises:
        DataError: the run keeps no examples. RunError: it is no run.
    """
    if run_files.is_model_path(name):
        if Path(name).suffix == run_files.SUFFIX:
            raise RunError(
                f"{name} keeps no claims: verify the run that it is from, or evaluate it"
            )
        return _verify_run(Path(name))
    room, tag = registry.find(str(name))
    record = room.entry.weights_of(tag)
    model = loading.get(name)
    file = store.find_weights(room, tag).path

    full = datasets.is_prepared(record.dataset)
    scores = evaluation.evaluate(model, split=record.split if full else datasets.SAMPLE)
    checks = [
        _exact("bytes", record.bytes, file.stat().st_size),
        _exact("sha256", record.sha256, store.sha256_of(file)),
        _exact(
            "recipe sha256", record.recipe_sha256, recipe.fingerprint(room.path / record.recipe)
        ),
        *_beginning(room, record),
        _exact("parameters", record.parameters, model.count_params()),
    ]
    if keras.backend.backend() == "tensorflow":  # the counter reads a TensorFlow graph
        checks.append(_exact("FLOPs", record.flops, count_flops(model)))
    if full:
        checks.append(_exact("test examples", record.examples, scores["examples"]))
    for metric, claimed in (record.metrics if full else record.sample).items():
        checks.append(_close(metric, claimed, scores[metric], scores["examples"]))
    return ClaimReport(str(name), scores["data"], tuple(checks))


def _verify_run(path: Path) -> ClaimReport:
    run = runs.load_run(path)
    scores = evaluation.evaluate(
        run.model, data=example_files.load_examples(path / runs.VALIDATION)
    )
    checks = [
        _close(metric, claimed, scores[metric], scores["examples"])
        for metric, claimed in run.metrics.items()
        if metric in METRICS
    ]
    return ClaimReport(str(path), scores["data"], tuple(checks))


def _beginning(room: registry.ModelPackage, record: Weights) -> list[ClaimCheck]:
    """What the training began with: the recipe of another task, or another model's weights."""
    checks = []
    if record.pretraining_sha256 is not None:
        actual = recipe.fingerprint(room.path / registry.PRETRAINING)
        checks.append(_exact("pretraining recipe sha256", record.pretraining_sha256, actual))
    if record.start_sha256 is not None:
        started = registry.weights_of(str(room.entry.start)).sha256
        checks.append(_exact(f"sha256 of {room.entry.start}", record.start_sha256, started))
    return checks


def _exact(claim: str, claimed: object, measured: object) -> ClaimCheck:
    return ClaimCheck(claim, _words(claimed), _words(measured), claimed == measured)


def _close(name: str, claimed: float, measured: float, examples: int) -> ClaimCheck:
    metric = METRICS[name]
    holds = metric.same(claimed, measured, examples)
    return ClaimCheck(metric.title, metric.write(claimed), metric.write(measured), holds)


def _words(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value}"[:16]
