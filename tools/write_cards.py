"""Updates the tables of the model cards and of the README from the entries.

    python tools/write_cards.py [--check]

Each table is between the comments `<!-- table -->` and `<!-- end of table -->`; the rest is written
by hand. `--check` writes nothing and fails where a table is not up to date.
"""

import argparse
import math
import re
import statistics
import sys
from dataclasses import replace
from pathlib import Path

from keras_fm import registry
from keras_fm.registry.entry import Baseline, Entry, Weights
from keras_fm.registry.metrics import METRICS, Metric

ROOT = Path(__file__).parents[1]
MILLION = 1e6
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    stale = [path for path, text in current_texts().items() if path.read_text("utf-8") != text]
    for path in stale:
        print(f"{path}: {'not up to date' if check else 'written'}")
        if not check:
            path.write_text(current_texts()[path], "utf-8")
    return 1 if check and stale else 0


def current_texts() -> dict[Path, str]:
    """Return every file with a table, and the text that it should have."""
    entries = [registry.info(name) for name in registry.list_models()]
    tables = {ROOT / "README.md": zoo_table(entries)}
    for entry in entries:
        card = ROOT / "zoo" / entry.name / "README.md"
        tables[card] = card_table(entry) + card_images(entry, card.parent)
    return {path: _with_table(path, table) for path, table in tables.items()}


def zoo_table(entries: list[Entry]) -> str:
    """Return the table of the README: a row for each model, with its first metric alone."""
    rows = [("Model", "Data", "Parameters", "On the test split", "Best baseline", "Training")]
    for entry in entries:
        link = f"[`{entry.name}`](zoo/{entry.name}/)"
        if not entry.pretrained:
            rows.append((link, entry.dataset, "", "no weights yet", "", ""))
            continue
        record = entry.weights_of()
        metric = _headline(entry, record)
        minutes = [
            f"{minutes:.0f} min{'' if _is_cpu(hardware) else f', {hardware}'}"
            for hardware, minutes in _minutes(record).items()
        ]
        rows.append(
            (
                link,
                entry.dataset,
                f"{record.num_parameters:,}",
                f"{METRICS[metric].title} {_mean(metric, record)}",
                _best_baseline(entry, metric),
                minutes[0],
            )
        )
    return _markdown(rows)


def _headline(entry: Entry, record: Weights) -> str:
    """Return the first metric that a baseline has, or the first one."""
    compared = {baseline.metric for baseline in entry.baselines}
    return next((name for name in record.metrics if name in compared), next(iter(record.metrics)))


def _best_baseline(entry: Entry, metric: str) -> str:
    baselines = [baseline for baseline in entry.baselines if baseline.metric == metric]
    if not baselines:
        return ""
    is_rising = math.isfinite(METRICS[metric].upper_bound)
    best = (max if is_rising else min)(baselines, key=lambda baseline: baseline.value)
    return f"{_value(entry, best)}, {best.method}"


def card_table(entry: Entry) -> str:
    """Return the table of a card: the claims of the default weights, and of the pretraining's."""
    claims = _claims(entry, entry.weights_of()) if entry.pretrained else [("Weights", "none yet")]
    for tag, record in entry.weights.items():
        if record.task is not None:
            claims += [
                (f"`{entry.name}.{tag}`: {claim}", value) for claim, value in _claims(entry, record)
            ]
    baselines = [
        (f"Baseline: {baseline.method}", f"{_value(entry, baseline)}, {_source(baseline)}")
        for baseline in entry.baselines
    ]
    return _markdown([("Property", "Value"), *claims, *baselines])


def card_images(entry: Entry, package: Path) -> str:
    """Return the images that lie beside the default weights, each under its name."""
    files = sorted((package / "weights").glob(f"{entry.name}.{entry.default_weights}.*.png"))
    return "".join(
        f"\n![{file.name.split('.')[2]}]({file.relative_to(package)})\n" for file in files
    )


def _claims(entry: Entry, record: Weights) -> list[tuple[str, str]]:
    environment = record.training_environment
    split = entry.splits.get(record.split)
    which = f"{record.split} split{'' if split is None else f' (`{split}`)'}"
    rows = [("Data", f"`{record.dataset}`, {which}, {record.num_examples:,} examples")]
    for name, value in record.metrics.items():
        metric = _metric(name, record)
        by_seed = zip(record.seeds.seeds, record.seeds.metrics[name], strict=True)
        rows += [
            (f"{metric.heading}, of the stored file", metric.format(value)),
            (f"{metric.heading}, mean over seeds", _mean(name, record)),
            (
                "... by seed",
                ", ".join(f"{seed}: {metric.format(value)}" for seed, value in by_seed),
            ),
        ]
    return [
        *rows,
        ("Parameters", f"{record.num_parameters:,}"),
        (f"FLOPs for one {_unit_of_flops(entry)}", _count(record.flops)),
        ("File", f"{record.file_size:,} bytes, {record.storage}"),
        ("License", record.license),
        *([("Initialized from", f"`{entry.init_from}`")] if record.init_from_sha256 else []),
        (
            "Trained in",
            f"{environment.minutes:.1f} minutes, {environment.precision}",
        ),
        ("Hardware", environment.hardware),
        *_hardware_of_other_seeds(record),
        (
            "Software",
            f"Keras {environment.keras}, {environment.backend}",
        ),
    ]


def _minutes(record: Weights) -> dict[str, float]:
    """Return the mean over the seeds by the hardware that they were trained on."""
    minutes: dict[str, list[float]] = {}
    for hardware, minutes_of_seed in zip(record.hardware, record.seeds.minutes, strict=True):
        minutes.setdefault(hardware, []).append(minutes_of_seed)
    return {hardware: statistics.mean(values) for hardware, values in minutes.items()}


def _is_cpu(hardware: str) -> bool:
    """As `runs.environment` names one: by its cores."""
    return hardware.endswith("cores")


def _hardware_of_other_seeds(record: Weights) -> list[tuple[str, str]]:
    """Return a row of the seeds that were trained on other hardware than the stored file."""
    trained = zip(record.seeds.seeds, record.hardware, record.seeds.minutes, strict=True)
    others = [
        f"{seed}: {minutes:.1f} minutes, {hardware}"
        for seed, hardware, minutes in trained
        if hardware != record.training_environment.hardware
    ]
    return [("... of other seeds", "; ".join(others))] if others else []


def _unit_of_flops(entry: Entry) -> str:
    """Return what FLOPs are counted for: where the input has any length, one step of it."""
    if not any(isinstance(size, str) for model_input in entry.inputs for size in model_input.shape):
        return "example"
    if entry.vocabulary is None:
        return "character of a text"
    return {"words": "word of a text", "wordpiece": "token of a text"}[entry.tokenizer]


def _count(count: int) -> str:
    return f"{count / MILLION:,.1f} million" if count >= MILLION / 10 else f"{count:,}"


def _value(entry: Entry, baseline: Baseline) -> str:
    """Return the baseline's value, as precise as the claim; of another metric with its name."""
    record = entry.weights_of() if entry.pretrained else None
    if record is None or baseline.metric not in record.metrics:
        metric = METRICS[baseline.metric]
        return f"{metric.title} {metric.format(baseline.value)}"
    return _metric(baseline.metric, record).format(baseline.value)


def _source(baseline: Baseline) -> str:
    return baseline.source if baseline.source.startswith("http") else f"`{baseline.source}`"


def _mean(name: str, record: Weights) -> str:
    """Mean and standard deviation over the seeds."""
    format_value, values = _metric(name, record).format, record.seeds.metrics[name]
    if len(values) == 1:
        return f"{format_value(values[0])} (1 seed)"
    deviation = f" ± {format_value(statistics.stdev(values))}" if len(set(values)) > 1 else ""
    return f"{format_value(statistics.mean(values))}{deviation} ({len(values)} seeds)"


def _metric(name: str, record: Weights) -> Metric:
    """Return the metric; with two more digits where its seeds differ by less than it shows."""
    metric, values = METRICS[name], record.seeds.metrics[name]
    if len(set(values)) == 1 or re.search("[1-9]", metric.format(statistics.stdev(values))):
        return metric
    return replace(
        metric,
        format_spec=re.sub(r"\d", lambda digits: str(int(digits[0]) + 2), metric.format_spec),
    )


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _with_table(path: Path, table: str) -> str:
    if not path.is_file():
        raise SystemExit(f"{path} is not there: write the card, with {BEGIN.strip()} in it")
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path} has no {BEGIN.strip()} with {END.strip()} behind it")
    return f"{before}{BEGIN}{table}{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
