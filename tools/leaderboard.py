"""Writes `docs/generated/leaderboard.md` from `docs/records/`; `tools/docs_pages.py` calls it.

A file for each model has its records, oldest first, and what was tried without a better figure:

    [[records]]
    tag = "v1"                       # of the weights
    commit = "7af2f1f"               # that released them
    date = 2026-11-23
    metric = "accuracy"              # on the whole test split
    values = [0.9365, 0.9381]        # one for each seed
    change = "what made it better"

    [[tried]]
    commit = "f4f3a51"
    date = 2026-11-23
    attempt = "what was tried, and its figure"
"""

import datetime
import statistics
from pathlib import Path

from keras_fm.registry import list_models, schema
from keras_fm.registry.metrics import METRICS
from keras_fm.registry.toml import read_toml

FOLDER = Path(__file__).parents[1] / "docs" / "records"


class Record(schema.Struct, frozen=True, kw_only=True):
    """Weights that were released."""

    tag: str
    commit: str
    date: datetime.date
    metric: str
    values: list[float]
    change: str


class Attempt(schema.Struct, frozen=True, kw_only=True):
    """What was tried without a better figure."""

    commit: str
    date: datetime.date
    attempt: str


class Records(schema.Struct, frozen=True, kw_only=True):
    """The file of a model."""

    records: list[Record]
    tried: list[Attempt] = []


def read(name: str) -> Records:
    """Return the records of a model; none where it has no file."""
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        return Records(records=[])
    return schema.convert(read_toml(path), Records, where=str(path))


def page() -> str:
    """Return the page: a table of records for each model, and of what was tried in vain."""
    parts = [_part(name, read(name)) for name in list_models()]
    return (
        "# Leaderboard\n\nAll weights that were ever released, and what was tried without a better "
        "figure. Metrics are of the whole test split, means over the seeds with their standard "
        "deviation; `keras-fm verify MODEL` measures the newest again.\n" + "".join(parts)
    )


def _part(name: str, records: Records) -> str:
    if not records.records and not records.tried:
        return ""
    rows = "".join(
        f"| `{record.tag}` | {record.date} | `{record.commit}` | {METRICS[record.metric].title} | "
        f"{_figure(record)} | {len(record.values)} | {record.change} |\n"
        for record in records.records
    )
    tried = "".join(
        f"- {attempt.date}, `{attempt.commit}`: {attempt.attempt}\n" for attempt in records.tried
    )
    return (
        f"\n## [`{name}`](cards/{name}.md)\n\n"
        "| Tag | Date | Commit | Metric | Figure | Seeds | Change |\n"
        f"| --- | --- | --- | --- | --- | --- | --- |\n{rows}"
        + (f"\nTried in vain:\n\n{tried}" if tried else "")
    )


def _figure(record: Record) -> str:
    metric = METRICS[record.metric]
    figure = metric.format(statistics.mean(record.values))
    if len(record.values) == 1:
        return figure
    return f"{figure} ± {metric.format(statistics.stdev(record.values))}"
