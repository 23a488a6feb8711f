"""Writes the tables of the model cards and of the README anew from the entries.

    python tools/write_cards.py [--check]

Each table stands between two comment lines, `<!-- table -->` and `<!-- end of table -->`; what is
around them is written by hand. `--check` writes nothing and fails where a table is not up to date.
"""

import argparse
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
    """Every file with a table, and the text that it should have."""
    entries = [registry.info(name) for name in registry.list_models()]
    tables = {ROOT / "README.md": zoo_table(entries)}
    for entry in entries:
        card = ROOT / "zoo" / entry.name / "README.md"
        tables[card] = card_table(entry) + card_pictures(entry, card.parent)
    return {path: _with_table(path, table) for path, table in tables.items()}


def zoo_table(entries: list[Entry]) -> str:
    """The table of the README: a line a model."""
    rows = [("Model", "Data", "Parameters", "On the test split", "Beside it", "Training")]
    for entry in entries:
        link = f"[`{entry.name}`](zoo/{entry.name}/)"
        if not entry.pretrained:
            rows.append((link, entry.dataset, "", "no weights yet", _beside(entry), ""))
            continue
        record = entry.weights_of()
        rows.append(
            (
                link,
                entry.dataset,
                f"{record.num_parameters:,}",
                "; ".join(
                    f"{METRICS[name].title} {_mean(name, record)}"
                    for name in record.metrics
                    if METRICS[name].listed
                ),
                _beside(entry),
                "; ".join(
                    f"{minutes:.0f} min{'' if _is_cpu(hardware) else f', {hardware}'}"
                    for hardware, minutes in _minutes(record).items()
                ),
            )
        )
    return _markdown(rows)


def card_table(entry: Entry) -> str:
    """The table of a model's card: the claims of its default weights, and of its pretraining's."""
    claims = _claims(entry, entry.weights_of()) if entry.pretrained else [("Weights", "none yet")]
    for tag, record in entry.weights.items():
        if record.task is not None:
            claims += [
                (f"`{entry.name}.{tag}`: {claim}", value) for claim, value in _claims(entry, record)
            ]
    beside = [
        (f"Beside it: {anchor.method}", f"{_reached(entry, anchor)}, {_source(anchor)}")
        for anchor in entry.baselines
    ]
    return _markdown([("Claim", "Value"), *claims, *beside])


def card_pictures(entry: Entry, room: Path) -> str:
    """The pictures that lie beside the default weights, each under its name."""
    files = sorted((room / "weights").glob(f"{entry.name}.{entry.default_weights}.*.png"))
    return "".join(f"\n![{file.name.split('.')[2]}]({file.relative_to(room)})\n" for file in files)


def _claims(entry: Entry, record: Weights) -> list[tuple[str, str]]:
    split = entry.splits.get(record.split)
    which = f"{record.split} split{'' if split is None else f' (`{split}`)'}"
    rows = [("Data", f"`{record.dataset}`, {which}, {record.num_examples:,} examples")]
    for name, value in record.metrics.items():
        metric = _metric(name, record)
        values = zip(record.seeds.seeds, record.seeds.metrics[name], strict=True)
        rows += [
            (f"{metric.heading}, of the stored file", metric.write(value)),
            (f"{metric.heading}, mean over seeds", _mean(name, record)),
            ("... by seed", ", ".join(f"{seed}: {metric.write(one)}" for seed, one in values)),
        ]
    return [
        *rows,
        ("Parameters", f"{record.num_parameters:,}"),
        (f"FLOPs for one {_counted(entry)}", _many(record.flops)),
        ("File", f"{record.file_size:,} bytes, {record.storage}"),
        ("Licence", record.license),
        *([("Started from", f"`{entry.init_from}`")] if record.init_from_sha256 else []),
        (
            "Trained in",
            f"{record.training_environment.minutes:.1f} minutes, {record.training_environment.precision}",
        ),
        ("Hardware", record.training_environment.hardware),
        *_others_hardware(record),
        (
            "Software",
            f"Keras {record.training_environment.keras}, {record.training_environment.backend}",
        ),
    ]


def _minutes(record: Weights) -> dict[str, float]:
    """The mean over the seeds by what they were trained on."""
    minutes: dict[str, list[float]] = {}
    for hardware, its in zip(record.hardware, record.seeds.minutes, strict=True):
        minutes.setdefault(hardware, []).append(its)
    return {hardware: statistics.mean(all_its) for hardware, all_its in minutes.items()}


def _is_cpu(hardware: str) -> bool:
    """As `runs.environment` names one: by its cores."""
    return hardware.endswith("cores")


def _others_hardware(record: Weights) -> list[tuple[str, str]]:
    """A row of the seeds that were trained on other hardware than the stored file."""
    trained = zip(record.seeds.seeds, record.hardware, record.seeds.minutes, strict=True)
    others = [
        f"{seed}: {minutes:.1f} minutes, {hardware}"
        for seed, hardware, minutes in trained
        if hardware != record.training_environment.hardware
    ]
    return [("... of other seeds", "; ".join(others))] if others else []


def _counted(entry: Entry) -> str:
    """What `verify` counts the operations of: where the input has any length, a step of it."""
    if not any(isinstance(size, str) for given in entry.inputs for size in given.shape):
        return "example"
    if entry.vocabulary is None:
        return "character of a text"
    return {"words": "word of a text", "wordpiece": "piece of a text"}[entry.tokenizer]


def _many(count: int) -> str:
    return f"{count / MILLION:,.1f} million" if count >= MILLION / 10 else f"{count:,}"


def _beside(entry: Entry) -> str:
    return "; ".join(f"{anchor.method} {_reached(entry, anchor)}" for anchor in entry.baselines)


def _reached(entry: Entry, anchor: Baseline) -> str:
    """The anchor's figure, as the claim that it stands beside; of another metric with its name."""
    record = entry.weights_of() if entry.pretrained else None
    if record is None or anchor.metric not in record.metrics:
        metric = METRICS[anchor.metric]
        return f"{metric.title} {metric.write(anchor.value)}"
    return _metric(anchor.metric, record).write(anchor.value)


def _source(anchor: Baseline) -> str:
    return anchor.source if anchor.source.startswith("http") else f"`{anchor.source}`"


def _mean(name: str, record: Weights) -> str:
    """Mean and standard deviation over the seeds."""
    write, values = _metric(name, record).write, record.seeds.metrics[name]
    if len(values) == 1:
        return f"{write(values[0])} (1 seed)"
    deviation = f" ± {write(statistics.stdev(values))}" if len(set(values)) > 1 else ""
    return f"{write(statistics.mean(values))}{deviation} ({len(values)} seeds)"


def _metric(name: str, record: Weights) -> Metric:
    """The metric; with two more digits where its seeds differ by less than it shows."""
    metric, values = METRICS[name], record.seeds.metrics[name]
    if len(set(values)) == 1 or re.search("[1-9]", metric.write(statistics.stdev(values))):
        return metric
    return replace(metric, form=re.sub(r"\d", lambda digits: str(int(digits[0]) + 2), metric.form))


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _with_table(path: Path, table: str) -> str:
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path} has no {BEGIN.strip()} with {END.strip()} behind it")
    return f"{before}{BEGIN}{table}{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
