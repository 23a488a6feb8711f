"""What simpler or stronger methods reach on the same data and splits as the zoo's models.

    TFDS_DATA_DIR=... python tools/baselines.py [NAME ...]

Wants scikit-learn: pip install ".[baselines]". Each learns from the rows that the model does.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import keras
import numpy as np

from keras_fm import registry, tasks
from keras_fm.data import character_texts, examples
from keras_fm.data.examples import Examples
from keras_fm.errors import suggest
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.models import loading, spec


def least_squares() -> None:
    """linear_regression's own design matrix, solved on the rows that it learned from; a plain one.

    In the model's a size of 0 is a missing one, as it should be.
    """
    model = loading.get("linear_regression")
    task = tasks.task_of(model)
    train, test = _splits("linear_regression")
    body = keras.Model(model.inputs, model.get_layer("embedding").output)

    def own(examples: Examples) -> np.ndarray:
        return np.asarray(body.predict(task.encode(examples).inputs, verbose=0), "float64")

    def plain(examples: Examples) -> np.ndarray:
        """Numbers as they are, and a column of 0 and 1 for each category."""
        found = []
        for column in task.columns:
            cells = np.asarray(examples.inputs[column.name])
            is_number = column.dtype != "string"
            found.append(cells.astype("float64") if is_number else cells[:, None] == column.values)
        return np.column_stack(found)

    def solve(title: str, design: Callable[[Examples], np.ndarray], *logarithms: str) -> None:
        def matrix(examples: Examples) -> np.ndarray:
            more = [np.log(examples.inputs[name]) for name in logarithms]
            return np.column_stack([design(examples), *more, np.ones(len(examples))])

        solution, *_ = np.linalg.lstsq(matrix(train), np.log(train.targets), rcond=None)
        error = matrix(test) @ solution - np.log(test.targets)
        print(f"{title}: RMSE of the log {np.sqrt(np.square(error).mean()):.6f}")

    solve("least squares", own)
    solve("... and log(carat)", own, "carat")
    solve("plain least squares, a size of 0 being a size", plain)
    solve("... and log(carat)", plain, "carat")
    print(f"trained: {task.measure(model, test)['rmse_log']:.6f}")


def real_lessons() -> None:
    """What a classifier knows that learned from real images as gan's learns from generated ones."""
    task = tasks.task_of(loading.get("gan", weights=None))
    train, test = task.load("train"), task.load("test")
    answers = GeneratorEvaluator(task.judge).answers_of_a_pupil(train, test.inputs)
    print(
        f"learned from {train.description}: {(answers == test.targets).mean():.2%} of "
        f"{test.description}"
    )


def gradient_boosting() -> None:
    """1,500 boosted trees on mlp's columns, the categories as their places."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    train, test = _splits("mlp")
    task = tasks.task_of(spec.default_spec(registry.find("mlp")[0]))

    def table(examples: Examples) -> np.ndarray:
        return np.stack([*task.encode(examples).inputs.values()], axis=-1)

    began = time.monotonic()
    # The best of the rates 0.02, 0.05 and 0.1; it gains from all its trees.
    trees = HistGradientBoostingRegressor(
        max_iter=1500, learning_rate=0.05, early_stopping=False, random_state=0
    )
    trees.fit(table(train), np.log(train.targets))
    error = trees.predict(table(test)) - np.log(test.targets)
    print(
        f"gradient boosting, 1500 trees: RMSE of the log {np.sqrt(np.square(error).mean()):.4f}, "
        f"{time.monotonic() - began:.0f} s"
    )


def bag_of_words() -> None:
    """Logistic regression on TF-IDF of words and pairs of words, for lstm's reviews."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, test = _splits("lstm", validation=True)
    began = time.monotonic()
    weigh = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    words = weigh.fit_transform(train.inputs)
    linear = LogisticRegression(C=30, max_iter=1000).fit(words, train.targets)
    accuracy = linear.score(weigh.transform(test.inputs), test.targets)
    print(
        f"TF-IDF of words and pairs + logistic regression: accuracy {accuracy:.2%} on the "
        f"{len(test):,} test reviews, {time.monotonic() - began:.0f} s"
    )


def n_grams(name: str) -> None:
    """A model of characters: how often each followed the last ones, longer ones first."""
    known = registry.info(name).inputs[0].values
    train, test = (
        character_texts.encode_characters(known, examples.inputs).astype("int64")
        for examples in _splits(name, validation=True)
    )
    likely = np.full(len(test), 1 / (len(known) + 1))
    for length in range(8):  # characters that are looked back at
        likely = _discounted(train, test, length, base=len(known) + 1, shorter=likely)
        bits = -np.log2(likely[length:]).mean()
        print(f"{length + 1}-grams, interpolated: {bits:.3f} bits per character")


def _discounted(train, test, length, base, shorter, discount=0.9):
    """Absolute discounting (Ney 1994): what rare continuations lose falls to the shorter context.

    `shorter`: the probability of each of `test` by the context one shorter. Returns that by this.
    """

    def keys(numbers, width):
        """The last `width` numbers at each place as one number."""
        found = np.zeros(len(numbers), "int64")
        for back in range(width):
            found[back:] += numbers[: len(numbers) - back] * base**back
        return found

    whole = keys(train, length + 1)[length:]
    grams, counts = np.unique(whole, return_counts=True)
    contexts, totals = np.unique(whole // base, return_counts=True)
    _, kinds = np.unique(grams // base, return_counts=True)  # continuations of each context
    asked = keys(test, length + 1)
    at, of = np.searchsorted(grams, asked), np.searchsorted(contexts, asked // base)
    at, of = np.minimum(at, len(grams) - 1), np.minimum(of, len(contexts) - 1)
    count = np.where(grams[at] == asked, counts[at], 0)
    seen = contexts[of] == asked // base
    own = (np.maximum(count - discount, 0) + discount * kinds[of] * shorter) / totals[of]
    return np.where(seen, own, shorter)


def _splits(name: str, validation: bool = False) -> tuple[Examples, Examples]:
    """The examples that a model of the zoo trained on (and validated on), and the test split."""
    room, _ = registry.find(name)
    task = tasks.task_of(spec.default_spec(room))
    train = task.load("train")
    if not validation:
        train, _ = examples.split_validation(train, room.recipe.validation_examples)
    return train, task.load("test")


BASELINES = {
    "char_lstm": partial(n_grams, "char_lstm"),
    "char_lstm_reviews": partial(n_grams, "char_lstm_reviews"),
    "gan": real_lessons,
    "linear_regression": least_squares,
    "lstm": bag_of_words,
    "mini_bert": bag_of_words,  # the same reviews
    "mlp": gradient_boosting,
}
WANTS_SKLEARN = (bag_of_words, gradient_boosting)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BASELINES)} (default: all)")
    names = parser.parse_args().names or [*BASELINES]
    for name in names:
        if name not in BASELINES:
            parser.error(f"no baselines for {name!r}. {suggest(name, BASELINES)}")
    chosen = dict.fromkeys(BASELINES[name] for name in names)  # each once
    if not find_spec("sklearn") and any(baseline in WANTS_SKLEARN for baseline in chosen):
        parser.error('these want scikit-learn: pip install ".[baselines]"')
    for baseline in chosen:
        baseline()


if __name__ == "__main__":
    main()
