"""Compares fine-tuning with training from scratch on a few labels of each class.

    export TFDS_DATA_DIR=...
    python tools/few_labels.py cifar_cnn fashion_mnist --each 50 200
    python tools/few_labels.py lstm genres --each 50 200 --methods head_then_full from_scratch tfidf
    python tools/few_labels.py cifar_cnn fashion_mnist --each 20 50 200 --augment-with gan
    python tools/few_labels.py mini_bert imdb_reviews --init-from mini_bert.mlm --test 5000
    python tools/few_labels.py mini_bert imdb_reviews --each 5000 --set epochs=2 head.epochs=2
    python tools/few_labels.py lstm genres --results results.jsonl   # resumes where it stopped

For each number of examples a class and each seed, so many are sampled from the training split; a
fifth of them validates. Prints mean and standard deviation over the seeds of the accuracy on the
test split, or on a random subset of it, `--test`, the same for all. Methods: the strategies of
`fine_tune`; "from_scratch", the same network trained from random weights by its own recipe, in as
many epochs as "head_then_full" has; "tfidf", of texts, logistic regression on TF-IDF of unigrams
and bigrams, which needs scikit-learn: ".[baselines]".

The data is a TFDS data set, or made from the unlabelled and the test reviews of `imdb_reviews`:
"genres", which one of five genres a review names, or "stars", its rating of ten. The words that say
so are removed from the review.
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

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataWarning
from keras_fm.registry.recipe import parse_setting
from keras_fm.tasks.base import task_of
from keras_fm.training import fine_tuning, fine_tuning_options, runs

FROM_SCRATCH, TFIDF = "from_scratch", "tfidf"
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
    parser.add_argument("--methods", nargs="+", default=["head_then_full", FROM_SCRATCH])
    parser.add_argument(
        "--init-from", help="a run or weights, in place of the model's default ones"
    )
    parser.add_argument(
        "--test", type=int, help="how many examples of the test split; default: all"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--augment-with", help="a generator: each method with its images too")
    parser.add_argument("--results", type=Path, help="a file of results, in which it resumes")
    options = parser.parse_args()
    results = Results(options.results)
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
    columns = [(method, generator) for generator in generators for method in options.methods]
    titles = [
        f"{method}{f', with {generator}' if generator else ''}" for method, generator in columns
    ]
    print(f"| Examples a class | {' | '.join(titles)} |\n|{' --- |' * (1 + len(columns))}")
    for each in options.each:
        accuracies: dict[tuple[str, str | None], list[float]] = {column: [] for column in columns}
        for seed in options.seeds:
            examples = sample(train, each, seed)
            for generator in generators:
                model = options.init_from or options.model
                case = [model, options.data, each, seed, generator, len(test), *options.settings]
                missing = [method for method in options.methods if (*case, method) not in results]
                if missing:
                    measured = measure(model, examples, test, missing, generator, seed, settings)
                    results.add({(*case, method): value for method, value in measured.items()})
                for method in options.methods:
                    accuracies[method, generator].append(results[*case, method])
        cells = (
            f"{np.mean(values):.1%} ± {np.std(values, ddof=len(values) > 1):.1%}"
            for values in accuracies.values()
        )
        print(f"| {each:,} | {' | '.join(cells)} |", flush=True)


class Results(dict[tuple[object, ...], float]):
    """Accuracies by case and method, each a line of a file."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        super().__init__((tuple(case), accuracy) for case, accuracy in map(json.loads, lines))

    def add(self, results: dict[tuple[object, ...], float]) -> None:
        """Add results, and append them to the file at once."""
        self.update(results)
        if self.file:
            with self.file.open("a") as out:
                out.writelines(f"{json.dumps(result)}\n" for result in results.items())


def tfds(name: str) -> tuple[Examples, Examples]:
    """Return the splits of a TFDS data set, with class names as targets."""
    names = np.array(datasets.builder(name).info.features["label"].names)
    splits = [datasets.load(name, split) for split in ("train", "test")]
    train, test = (Examples(x.inputs, names[x.targets], x.description) for x in splits)
    return train, test


def of_reviews(label: Callable[[str], tuple[str, str] | None]) -> tuple[Examples, Examples]:
    """Return the reviews of the unlabelled and of the test split that `label` finds a class in."""
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
    """Return the review without its genre, and the genre; None where it names none or several."""
    found = [name for name, words in GENRES.items() if words.search(review)]
    return (GENRES[found[0]].sub(" ", review), found[0]) if len(found) == 1 else None


def by_stars(review: str) -> tuple[str, str] | None:
    """Return the review without its rating, and its range; None where it gives none or several."""
    stars = {float(number.replace(",", ".")) for number in STARS.findall(review)}
    if len(stars) != 1:
        return None
    (given,) = stars
    found = [name for name, (low, high) in RANGES.items() if low <= given <= high]
    return (STARS.sub(" ", review), found[0]) if found else None


def sample(train: Examples, each: int, seed: int) -> Examples:
    """Sample so many examples of each class."""
    random = np.random.default_rng(seed)
    chosen = [
        random.choice(np.flatnonzero(train.targets == label), each, replace=False)
        for label in np.unique(train.targets)
    ]
    return train.subset(np.concatenate(chosen), f"{each:,} a class of {train.description}")


def measure(
    model: str,
    examples: Examples,
    test: Examples,
    methods: Sequence[str],
    generator: str | None,
    seed: int,
    settings: dict[str, Any],
) -> dict[str, float]:
    """Return the accuracy on the test split of each method, trained on the examples."""
    accuracies = {TFIDF: tfidf_accuracy(examples, test)} if TFIDF in methods else {}
    for strategy in fine_tuning_options.STRATEGIES:
        compare = strategy == "head_then_full" and FROM_SCRATCH in methods
        if strategy not in methods and not compare:
            continue
        keras.backend.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            run = fine_tuning.fine_tune(
                model,
                examples,
                strategy=strategy,
                compare=compare,
                augment_with=generator,
                seed=seed,
                run_dir=path,
                **{"drop_remainder": True, **settings},  # as all rows of the tables were measured
            )
            accuracies[strategy] = accuracy(run, test)
            if compare:
                scratch = runs.load_run(path / fine_tuning_options.SCRATCH_STAGE)
                accuracies[FROM_SCRATCH] = accuracy(scratch, test)
    return {method: accuracies[method] for method in methods}


def accuracy(run: runs.Run, test: Examples) -> float:
    """Return the accuracy of a run on the test split."""
    task = task_of(run.model)
    return task.objective.evaluate(run.model, task.data.load_eval_data(UserData(test)))["accuracy"]


def tfidf_accuracy(examples: Examples, test: Examples) -> float:
    """Return the accuracy of a logistic regression on TF-IDF of unigrams and bigrams."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectorizer.fit_transform(examples.inputs)
    model = LogisticRegression(C=30, max_iter=1000).fit(features, examples.targets)
    return float(model.score(vectorizer.transform(test.inputs), test.targets))


if __name__ == "__main__":
    main()
