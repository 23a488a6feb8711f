"""Writes the model cards, their learning curves and the table of the README.

    python tools/write_cards.py [--check]

A card, `zoo/NAME/README.md`, is written from `card.md`, which a person writes, `entry.toml` and
`weights/`. The README's table is between the comments `<!-- table -->` and `<!-- end of table -->`.
`--check` writes nothing and fails where a file is not up to date.
"""

import argparse
import math
import sys
from pathlib import Path

from claim_tables import format_mean, format_value, markdown_table
from learning_curves import draw, read_history
from model_card import curves_file, history_file, picture_of, write_card

from keras_fm import registry
from keras_fm.registry.entry import Baseline, Entry
from keras_fm.registry.metrics import METRICS, headline_metric

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    stale = {path: text for path, text in current_texts().items() if not is_current(path, text)}
    for path, text in stale.items():
        print(f"{path}: {'not up to date' if check else 'written'}")
        if not check:
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


def is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def current_texts() -> dict[Path, str]:
    """Return every file that is written, and the text that it should have."""
    entries = [registry.info(name) for name in registry.list_models()]
    texts = {ROOT / "README.md": _with_table(ROOT / "README.md", zoo_table(entries))}
    for entry in entries:
        package = ROOT / "zoo" / entry.name
        if not package.is_dir():
            continue  # of another distribution, or of a test
        for tag, record in entry.weights.items():
            if (history := history_file(package, record)).is_file():
                metric = headline(entry) if record.task is None else next(iter(record.metrics))
                texts[package / curves_file(tag)] = draw(read_history(history), metric)
        texts[package / "README.md"] = write_card(entry, package)
    return texts


def zoo_table(entries: list[Entry], more: bool = False) -> str:
    """Return the table of the models: a row for each, with its headline metric alone.

    Args:
        entries: Of the models.
        more: Whether to add columns of the size and of what trained it.
    """
    titles = ("", "Model", "Data", "Parameters", "On the test split", "Best baseline")
    rows = [titles + (("FLOPs", "File, MB", "Trained on", "Minutes") if more else ())]
    for entry in entries:
        picture = picture_of(entry)
        image = f"![{entry.name}]({picture})" if (ROOT / picture).is_file() else ""
        row = (image, f"[`{entry.name}`](zoo/{entry.name}/)", entry.dataset)
        if not entry.pretrained:
            rows.append((*row, "", "no weights yet", *("",) * (len(rows[0]) - 5)))
            continue
        record, metric = entry.weights_of(), headline(entry)
        claim = f"{METRICS[metric].title} {format_mean(metric, record)}"
        row += (f"{record.num_parameters:,}", claim, _best_baseline(entry, metric))
        if more:
            environment = record.training_environment
            size = (f"{record.flops:,}", f"{record.file_size / 1e6:.2g}")
            row += (*size, environment.hardware, f"{environment.minutes:.0f}")
        rows.append(row)
    return markdown_table(rows)


def headline(entry: Entry) -> str:
    """Return the metric of a model's weights that stands for it."""
    compared = {baseline.metric for baseline in entry.baselines}
    return headline_metric([*entry.weights_of().metrics], compared)


def _best_baseline(entry: Entry, metric: str) -> str:
    baselines = [baseline for baseline in entry.baselines if baseline.metric == metric]
    if not baselines:
        return ""
    is_rising = math.isfinite(METRICS[metric].upper_bound)

    def by_value(baseline: Baseline) -> float:
        return baseline.value

    return format_value(entry, (max if is_rising else min)(baselines, key=by_value))


def _with_table(path: Path, table: str) -> str:
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path} has no {BEGIN.strip()} with {END.strip()} behind it")
    return f"{before}{BEGIN}{table}{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
