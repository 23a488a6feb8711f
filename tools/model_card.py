"""Model cards after Mitchell et al. 2019 (arXiv:1810.03993), with the sections of Hugging Face's.

A card is written from the model's folder: `card.md`, the sections that a person writes,
`entry.toml`, the claims, and `weights/`, the history and the images of the released training.
"""

import os
import re
from pathlib import Path
from statistics import fmean

from claim_tables import (
    baselines_table,
    calibration_table,
    cost_table,
    metrics_table,
    robustness_table,
    slices_table,
)

import keras_fm
from keras_fm import registry
from keras_fm.registry.entry import Entry, Weights
from keras_fm.registry.metrics import CORRUPTED_ACCURACY, SLICE_ACCURACY

ROOT = Path(__file__).parents[1]
PROSE = "card.md"
# What `tools/make_pictures.py` writes into a picture: the digest of the weights that it shows.
WEIGHTS_DIGEST = "weights_sha256"
SAMPLES = ROOT / "keras_fm" / "samples" / "README.md"
NOTE = (
    f"<!-- Written by tools/write_cards.py from {PROSE}, entry.toml and weights/: edit those. -->\n"
)

USES, USAGE, DATA, RESULTS, DESCRIPTION, TRAINING = SECTIONS = (
    "Intended uses & limitations",
    "How to use",
    "Training data",
    "Evaluation results",
    "Model description",
    "Training procedure",
)
REQUIRED = (USES, DATA)


def write_card(entry: Entry, package: Path) -> str:
    """Return the text of a model's card.

    Raises:
        SystemExit: `card.md` is missing, lacks a section or has one that no card has.
    """
    lead, prose = read_prose(package / PROSE)
    record = entry.weights_of() if entry.pretrained else None
    generated = {
        USES: _lowest(record),
        USAGE: f"`keras-fm export {entry.name} exports/{entry.name}` writes a SavedModel for TF"
        " Serving.\n",
        DATA: _data(entry),
        TRAINING: _training(entry, package),
    }
    parts = [
        f"{NOTE}# {entry.name}\n",
        f"{lead}\n",
        _facts(entry, record),
        _picture(entry, package),
    ]
    for section in SECTIONS:
        texts = [prose.get(section, ""), generated.get(section, "")]
        if section == RESULTS:  # its notes are about the tables
            texts = [_results(entry, package), prose.get(section, "")]
        parts += [f"## {section}\n", *texts]
    parts.append(_citation(entry, record))
    return "\n".join(part for part in parts if part)


def read_prose(path: Path) -> tuple[str, dict[str, str]]:
    """Return the paragraph before the first heading of a `card.md`, and each section's text.

    Raises:
        SystemExit: The file is missing, lacks a section or has one that no card has.
    """
    if not path.is_file():
        raise SystemExit(f"{path} is not there: write it, as CONTRIBUTING.md shows")
    # A comment in a block of code is no heading: it has one `#`.
    lead, *blocks = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)
    titles, texts = [], []
    for block in blocks:
        title, _, text = block.partition("\n")
        titles.append(title.strip())
        texts.append(text.strip() + "\n")
    unknown = [title for title in titles if title not in SECTIONS]
    missing = [title for title in REQUIRED if title not in titles]
    if not lead.strip() or unknown or missing or len(set(titles)) < len(titles):
        raise SystemExit(
            f"{path} has the sections {titles}; expected a paragraph, then the sections "
            f"{list(REQUIRED)} and any of {[s for s in SECTIONS if s not in REQUIRED]}, each once"
        )
    return lead.strip(), dict(zip(titles, texts, strict=True))


def picture_of(entry: Entry) -> str:
    """Return the path of a model's picture in the repository (`tools/make_pictures.py`)."""
    return f"docs/images/models/{entry.name}.png"


def curves_file(tag: str) -> str:
    """Return the name of the learning curves in the model's folder."""
    return f"curves.{tag}.svg"


def history_file(package: Path, record: Weights) -> Path:
    """Return the path of the history of the training of weights."""
    return package / f"{record.file.removesuffix('.weights.h5')}.history.csv"


def _facts(entry: Entry, record: Weights | None) -> str:
    """Return what the model is, and under which license, in a line."""
    weights = "none yet"
    if record is not None:
        weights = f"`{entry.name}.{entry.default_weights}`, {record.license}"
    return f"Task: {entry.task}. Data: `{entry.dataset}`. Weights: {weights}.\n"


def _picture(entry: Entry, package: Path) -> str:
    """Return the model's picture, where it is drawn."""
    file = ROOT / picture_of(entry)
    return f"![{entry.title}]({os.path.relpath(file, package)})\n" if file.is_file() else ""


def _lowest(record: Weights | None) -> str:
    """Return on which slice of each kind and under which corruption a classifier is worst."""
    if record is None:
        return ""
    lowest = []
    for slice_by, slices in record.slices.items():
        name = min(slices, key=lambda name: slices[name])
        lowest.append(f"{SLICE_ACCURACY.format(slices[name])} where `{slice_by}` is {name}")
    if record.robustness is not None:
        means = {name: fmean(row) for name, row in record.robustness.corrupted.items()}
        name = min(means, key=lambda name: means[name])
        lowest.append(f"{CORRUPTED_ACCURACY.format(means[name])} under the corruption `{name}`")
    return f"Where accuracy is lowest: {', '.join(lowest)}.\n" if lowest else ""


def _data(entry: Entry) -> str:
    """Return the source and the license of the data, as the bundled sample of it states them."""
    pattern = rf"^\| `{entry.dataset}\.npz` \| .* \| (.*) \|$"
    match = re.search(pattern, SAMPLES.read_text("utf-8"), re.MULTILINE)
    return f"Source of `{entry.dataset}`: {match[1]}.\n" if match else ""


def _results(entry: Entry, package: Path) -> str:
    """Return the tables and the pictures of the default weights, then those of the pretraining."""
    if not entry.pretrained:
        return f"No weights are released yet.\n\n{baselines_table(entry)}".rstrip() + "\n"
    record = entry.weights_of()
    robustness = robustness_table(record)
    if robustness:
        count = f"{record.robustness.num_examples:,}" if record.robustness else ""
        robustness = f"Accuracy on the first {count} examples, corrupted:\n\n{robustness}"
    images = sorted((package / "weights").glob(f"{entry.name}.{entry.default_weights}.*.png"))
    parts = [
        f"{_measured(entry, record)} `keras-fm verify {entry.name}` measures all figures of the"
        " file again.\n",
        metrics_table(record),
        baselines_table(entry),
        slices_table(record),
        robustness,
        calibration_table(record),
        _curves(entry.default_weights or "", record, package),
        *(f"![{file.name.split('.')[2]}]({file.relative_to(package)})\n" for file in images),
    ]
    for tag, other in entry.weights.items():
        if other.task is not None:
            parts += [
                f"### {entry.name}.{tag}\n",
                f"Task: {other.task}. {_measured(entry, other)}\n",
                metrics_table(other),
                _curves(tag, other, package),
            ]
    return "\n".join(part for part in parts if part)


def _measured(entry: Entry, record: Weights) -> str:
    split = entry.splits.get(record.split)
    which = f"{record.split} split{'' if split is None else f' (`{split}`)'}"
    return f"On the {which} of `{record.dataset}`, {record.num_examples:,} examples."


def _curves(tag: str, record: Weights, package: Path) -> str:
    if not history_file(package, record).is_file():
        return ""
    return f"![Learning curves of the released training]({curves_file(tag)})\n"


def _training(entry: Entry, package: Path) -> str:
    """Return the commands that reproduce the training, and the tables of its cost."""
    recipes = sorted(path.name for path in package.glob("*.toml") if path.name != "entry.toml")
    links = ", ".join(f"[{name}]({name})" for name in recipes)
    logs = ""
    if entry.pretrained:
        logs = f" Logs of the released training: `tensorboard --logdir zoo/{entry.name}/weights`."
    command = f"keras-fm train {entry.name}"
    if entry.pretrained and entry.weights_of().recipe != registry.RECIPE:
        command += f" --recipe {Path(entry.weights_of().recipe).stem}"
    text = f"All hyperparameters: {links}. `{command} --seed 0` trains it again.{logs}\n"
    tables = [cost_table(entry, entry.weights_of())] if entry.pretrained else []
    if tables:
        tables.append(
            f"Latency on your machine: `python tools/benchmark_serving.py {entry.name}`.\n"
        )
    for tag, record in entry.weights.items():
        if record.task is not None:
            tables += [f"`{entry.name}.{tag}`:\n", cost_table(entry, record)]
    return "\n".join([text, *tables])


def _citation(entry: Entry, record: Weights | None) -> str:
    """Return the references, and how to cite the weights."""
    references = "".join(f"- <{reference}>\n" for reference in entry.references)
    file = ""
    if record is not None:
        file = (
            f",\n  note = {{weights {entry.name}.{entry.default_weights}, SHA-256 {record.sha256}}}"
        )
    bibtex = (
        f"```bibtex\n@software{{keras_fm_{entry.name},\n"
        f"  title = {{{entry.title}}},\n"
        f"  author = {{{{The keras_fm developers}}}},\n"
        f"  version = {{keras_fm {keras_fm.__version__}}}{file}\n}}\n```\n"
    )
    return "\n".join(part for part in ("## References & citation\n", references, bibtex) if part)
