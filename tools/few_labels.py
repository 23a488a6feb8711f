"""What a pretrained model is worth when labels are few: fine-tuned, and from random weights.

    export TFDS_DATA_DIR=...
    python tools/few_labels.py cifar_cnn fashion_mnist --each 50 200
    python tools/few_labels.py lstm genres --each 50 200 --ways gradual random words
    python tools/few_labels.py cifar_cnn fashion_mnist --each 20 50 200 --augment-with gan
    python tools/few_labels.py mini_bert imdb_reviews --start mini_bert.mlm --test 5000
    python tools/few_labels.py mini_bert imdb_reviews --each 5000 --set epochs=2 head.epochs=2
    python tools/few_labels.py lstm genres --keep figures.jsonl   # stopped? again: it goes on

For each number of examples a class and each seed so many are drawn from the training split; a fifth
of them validates. Measured on the whole test split, or on as many of it as `--test` says, drawn by
chance and the same for all; nothing was chosen on them: mean and standard deviation over the seeds.
Ways: the strategies of `fine_tune`; "random", the same network from random weights by its own
recipe, in as many epochs as "gradual" has; "words", of texts, logistic regression on TF-IDF of
words and pairs, which wants scikit-learn: ".[baselines]".

The data is a TFDS data set, or made from the reviews of `imdb_reviews`, those to learn from without
their label: "genres", which one of five kinds of film a review names, or "stars", how many of ten
it says that it gives. What says so is taken out of it.
"""

import argparse
import json
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm import tasks
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataWarning
from keras_fm.registry.recipe import parse_setting
from keras_fm.training import fine_tuning, fine_tuning_jobs, runs

RANDOM, WORDS = "random", "words"
GENRES = {
    name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for name, words in {
        "animation": r"animat(?:ed|ions?)|cartoons?",
        "comedy": r"comed(?:y|ies)|comedic|comedians?",
        "horror": r"horrors?|scary|slashers?|zombies?",
        "romance": r"roman(?:ces?|tic)",
        "war": r"wars?",
    }.items()
}
STARS = re.compile(
    r"(?<![\d/.,])(\d{1,2}(?:[.,]\d)?)\s?(?:/|out of)\s?(?:10|ten)\b(?![/.,]?\d)", re.IGNORECASE
)
# A review of the data set is for or against: those of five and six stars are not in it.
RANGES = {"0 to 2": (0, 2), "3 and 4": (3, 4), "7 and 8": (7, 8), "9 and 10": (9, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data", help="a TFDS data set, 'genres' or 'stars'")
    parser.add_argument("--each", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", default=["gradual", RANDOM])
    parser.add_argument("--start", help="a run or weights, in place of the model's default ones")
    parser.add_argument("--test", type=int, help="so many of the test split; it saves hours")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--augment-with", help="a generator: each way with its images too")
    parser.add_argument("--keep", type=Path, help="figures: what the file has is not made again")
    options = parser.parse_args()
    kept = Kept(options.keep)
    warnings.simplefilter("ignore", DataWarning)
    label = {"genres": by_genre, "stars": by_stars}.get(options.data)
    train, test = tfds(options.data) if label is None else of_reviews(label)
    fewest = min(np.unique(train.targets, return_counts=True)[1])
    if max(options.each) > fewest:
        parser.error(
            f"--each {max(options.each)}: {train.description} has {fewest} of its rarest class"
        )
    if options.test:
        drawn = np.random.default_rng(0).permutation(len(test))[: options.test]
        test = test.subset(drawn, f"{len(drawn):,} of {test.description}")
    settings = dict(map(parse_setting, options.settings))
    print(f"measured on {test.description}", flush=True)
    generators = [None, *([options.augment_with] if options.augment_with else [])]
    columns = [(way, generator) for generator in generators for way in options.ways]
    titles = [f"{way}{f', with {generator}' if generator else ''}" for way, generator in columns]
    print(f"| Examples a class | {' | '.join(titles)} |\n|{' --- |' * (1 + len(columns))}")
    for each in options.each:
        figures: dict[tuple[str, str | None], list[float]] = {column: [] for column in columns}
        for seed in options.seeds:
            some = draw(train, each, seed)
            for generator in generators:
                model = options.start or options.model
                case = [model, options.data, each, seed, generator, len(test), *options.settings]
                missing = [way for way in options.ways if (*case, way) not in kept]
                if missing:
                    found = learn(model, some, test, missing, generator, seed, settings)
                    kept.add({(*case, way): accuracy for way, accuracy in found.items()})
                for way in options.ways:
                    figures[way, generator].append(kept[*case, way])
        cells = (f"{np.mean(x):.1%} ± {np.std(x, ddof=len(x) > 1):.1%}" for x in figures.values())
        print(f"| {each:,} | {' | '.join(cells)} |", flush=True)


class Kept(dict[tuple[object, ...], float]):
    """Figures by case and way; a line of a file each."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        super().__init__((tuple(case), accuracy) for case, accuracy in map(json.loads, lines))

    def add(self, figures: dict[tuple[object, ...], float]) -> None:
        """At once in the file too."""
        self.update(figures)
        if self.file:
            with self.file.open("a") as out:
                out.writelines(f"{json.dumps(figure)}\n" for figure in figures.items())


def tfds(name: str) -> tuple[Examples, Examples]:
    """The splits of a TFDS data set, with the classes' names as targets."""
    names = np.array(datasets.builder(name).info.features["label"].names)
    splits = [datasets.load(name, split) for split in ("train", "test")]
    train, test = (Examples(x.inputs, names[x.targets], x.description) for x in splits)
    return train, test


def of_reviews(label: Callable[[str], tuple[str, str] | None]) -> tuple[Examples, Examples]:
    """Those reviews of the unlabelled and of the test split that `label` finds a class in."""
    train, test = (
        _labelled(datasets.load("imdb_reviews", x), label) for x in ("unsupervised", "test")
    )
    return train, test


def _labelled(reviews: Examples, label: Callable[[str], tuple[str, str] | None]) -> Examples:
    found = list(filter(None, (label(bytes(x).decode("utf-8", "replace")) for x in reviews.inputs)))
    inputs = np.empty(len(found), object)
    inputs[:] = [text.encode() for text, _ in found]
    return Examples(inputs, np.array([x for _, x in found]), f"{reviews.description}, with a class")


def by_genre(review: str) -> tuple[str, str] | None:
    """The review without the words that name a kind of film, and that; None: not one kind."""
    found = [name for name, words in GENRES.items() if words.search(review)]
    return (GENRES[found[0]].sub(" ", review), found[0]) if len(found) == 1 else None


def by_stars(review: str) -> tuple[str, str] | None:
    """The review without its stars, and their range; None: it gives none, or different ones."""
    stars = {float(number.replace(",", ".")) for number in STARS.findall(review)}
    if len(stars) != 1:
        return None
    (given,) = stars
    found = [name for name, (low, high) in RANGES.items() if low <= given <= high]
    return (STARS.sub(" ", review), found[0]) if found else None


def draw(train: Examples, each: int, seed: int) -> Examples:
    """So many examples of each class."""
    random = np.random.default_rng(seed)
    chosen = [
        random.choice(np.flatnonzero(train.targets == label), each, replace=False)
        for label in np.unique(train.targets)
    ]
    return train.subset(np.concatenate(chosen), f"{each:,} a class of {train.description}")


def learn(
    model: str,
    some: Examples,
    test: Examples,
    ways: Sequence[str],
    generator: str | None,
    seed: int,
    settings: dict[str, Any],
) -> dict[str, float]:
    """The accuracy on the test split of what was learned from some examples, by way."""
    found = {WORDS: linear(some, test)} if WORDS in ways else {}
    for strategy in fine_tuning_jobs.STRATEGIES:
        compare = strategy == "gradual" and RANDOM in ways
        if strategy not in ways and not compare:
            continue
        keras.backend.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            run = fine_tuning.fine_tune(
                model,
                some,
                strategy=strategy,
                compare=compare,
                augment_with=generator,
                seed=seed,
                run_dir=path,
                **settings,
            )
            found[strategy] = accuracy(run, test)
            if compare:
                found[RANDOM] = accuracy(runs.load_run(path / fine_tuning.SCRATCH_STAGE), test)
    return {way: found[way] for way in ways}


def accuracy(run: runs.Run, test: Examples) -> float:
    """On the test split."""
    task = tasks.task_of(run.model)
    return task.measure(run.model, task.read(UserData(test)))["accuracy"]


def linear(some: Examples, test: Examples) -> float:
    """The accuracy of a linear model of the same labels' words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    weigh = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    words = weigh.fit_transform(some.inputs)
    model = LogisticRegression(C=30, max_iter=1000).fit(words, some.targets)
    return float(model.score(weigh.transform(test.inputs), test.targets))


if __name__ == "__main__":
    main()
