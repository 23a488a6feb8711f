"""Measures other methods on the same data and splits as the zoo's models.

    TFDS_DATA_DIR=... python tools/baselines.py [NAME ...]

Needs scikit-learn: pip install ".[baselines]". Each is fitted to the model's training examples.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

from keras_fm import registry
from keras_fm.data import character_texts
from keras_fm.data.examples import Examples
from keras_fm.data.splitting import split_validation
from keras_fm.errors import suggest
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.models import loading
from keras_fm.models.backbone import backbone
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of


def least_squares() -> None:
    """Solve least squares on linear_regression's design matrix, and on the raw columns.

    In the model's, a size of 0 mm is a missing value, which is imputed.
    """
    model = loading.get("linear_regression")
    task = task_of(model)
    train, test = _splits("linear_regression")
    design_matrix = backbone(model)

    def of_the_model(examples: Examples) -> np.ndarray:
        encoded = task.data.encode(examples).inputs
        return np.asarray(design_matrix.predict(encoded, verbose=0), "float64")

    def raw(examples: Examples) -> np.ndarray:
        """Return numeric columns as they are, and one-hot categories."""
        columns = []
        for column in task.spec.inputs:
            values = np.asarray(examples.inputs[column.name])
            is_number = column.dtype != "string"
            columns.append(
                values.astype("float64") if is_number else values[:, None] == column.categories
            )
        return np.column_stack(columns)

    def solve(title: str, design: Callable[[Examples], np.ndarray], *logarithms: str) -> None:
        def matrix(examples: Examples) -> np.ndarray:
            logs = [np.log(examples.inputs[name]) for name in logarithms]
            return np.column_stack([design(examples), *logs, np.ones(len(examples))])

        solution, *_ = np.linalg.lstsq(matrix(train), np.log(train.targets), rcond=None)
        error = matrix(test) @ solution - np.log(test.targets)
        print(f"{title}: RMSE of the log {np.sqrt(np.square(error).mean()):.6f}")

    solve("least squares of the same columns", of_the_model)
    solve("... and log(carat)", of_the_model, "carat")
    solve("least squares of the raw columns, 0 mm not imputed", raw)
    solve("... and log(carat)", raw, "carat")
    print(f"trained: {task.objective.evaluate(model, test)['rmse_log']:.6f}")


def train_on_real() -> None:
    """Train gan's evaluator on real images, as `evaluate` trains it on generated ones."""
    task = task_of(loading.get("gan", weights=None))
    train, test = task.data.load("train"), task.data.load("test")
    evaluator = GeneratorEvaluator(task.objective.evaluator_name)
    accuracy = (evaluator.train_on_generated(train, test.inputs) == test.targets).mean()
    print(f"trained on {train.description}: accuracy {accuracy:.2%} on {test.description}")


def gradient_boosting() -> None:
    """Fit 1,500 boosted trees to mlp's columns, the categories as their indices."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    train, test = _splits("mlp")
    task = ModelSpec.of(registry.find("mlp")[0]).task

    def table(examples: Examples) -> np.ndarray:
        return np.stack([*task.data.encode(examples).inputs.values()], axis=-1)

    started = time.monotonic()
    # The best of the rates 0.02, 0.05 and 0.1; it gains from all its trees.
    trees = HistGradientBoostingRegressor(
        max_iter=1500, learning_rate=0.05, early_stopping=False, random_state=0
    )
    trees.fit(table(train), np.log(train.targets))
    error = trees.predict(table(test)) - np.log(test.targets)
    print(
        f"gradient boosting, 1500 trees: RMSE of the log {np.sqrt(np.square(error).mean()):.4f}, "
        f"{time.monotonic() - started:.0f} s"
    )


def bag_of_words() -> None:
    """Fit a logistic regression to TF-IDF of unigrams and bigrams, for lstm's reviews."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, test = _splits("lstm", validation=True)
    started = time.monotonic()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    features = vectorizer.fit_transform(train.inputs)
    linear = LogisticRegression(C=30, max_iter=1000).fit(features, train.targets)
    accuracy = linear.score(vectorizer.transform(test.inputs), test.targets)
    print(
        f"TF-IDF of unigrams and bigrams + logistic regression: accuracy {accuracy:.2%} on the "
        f"{len(test):,} test reviews, {time.monotonic() - started:.0f} s"
    )


def n_grams(name: str) -> None:
    """Estimate interpolated n-grams of characters, up to 8-grams."""
    alphabet = registry.info(name).inputs[0].categories
    train, test = (
        character_texts.encode_characters(alphabet, examples.inputs).astype("int64")
        for examples in _splits(name, validation=True)
    )
    probabilities = np.full(len(test), 1 / (len(alphabet) + 1))
    for length in range(8):  # of the context
        probabilities = _discounted(
            train, test, length, base=len(alphabet) + 1, shorter=probabilities
        )
        bits = -np.log2(probabilities[length:]).mean()
        print(f"{length + 1}-grams, interpolated: {bits:.3f} bits per character")


def _discounted(train, test, length, base, shorter, discount=0.9):
    """Interpolate with a shorter context by absolute discounting (Ney et al. 1994).

    Args:
        train: Character IDs.
        test: Character IDs.
        length: Of the context.
        base: The number of IDs.
        shorter: The probability of each character of `test` by the context one shorter.
        discount: What each count loses to the shorter context.

    Returns:
        The probability of each character of `test` by this context.
    """

    def n_gram_ids(ids, width):
        """Return the last `width` IDs at each position as one number."""
        numbers = np.zeros(len(ids), "int64")
        for offset in range(width):
            numbers[offset:] += ids[: len(ids) - offset] * base**offset
        return numbers

    train_grams = n_gram_ids(train, length + 1)[length:]
    grams, counts = np.unique(train_grams, return_counts=True)
    contexts, totals = np.unique(train_grams // base, return_counts=True)
    _, continuations = np.unique(grams // base, return_counts=True)  # of each context
    test_grams = n_gram_ids(test, length + 1)
    gram = np.minimum(np.searchsorted(grams, test_grams), len(grams) - 1)
    context = np.minimum(np.searchsorted(contexts, test_grams // base), len(contexts) - 1)
    count = np.where(grams[gram] == test_grams, counts[gram], 0)
    is_known = contexts[context] == test_grams // base
    discounted = np.maximum(count - discount, 0) + discount * continuations[context] * shorter
    return np.where(is_known, discounted / totals[context], shorter)


def _splits(name: str, validation: bool = False) -> tuple[Examples, Examples]:
    """Return the examples that a model trained on (and validated on), and the test split."""
    task = ModelSpec.of(registry.find(name)[0]).task
    train = task.data.load("train")
    if not validation:
        train, _ = split_validation(train, task.default_recipe().validation_examples)
    return train, task.data.load("test")


BASELINES = {
    "char_lstm": partial(n_grams, "char_lstm"),
    "char_lstm_reviews": partial(n_grams, "char_lstm_reviews"),
    "gan": train_on_real,
    "linear_regression": least_squares,
    "lstm": bag_of_words,
    "mini_bert": bag_of_words,  # the same reviews
    "mlp": gradient_boosting,
}
NEEDS_SKLEARN = (bag_of_words, gradient_boosting)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BASELINES)} (default: all)")
    names = parser.parse_args().names or [*BASELINES]
    for name in names:
        if name not in BASELINES:
            parser.error(f"no baselines for {name!r}. {suggest(name, BASELINES)}")
    chosen = dict.fromkeys(BASELINES[name] for name in names)  # without duplicates
    if not find_spec("sklearn") and any(baseline in NEEDS_SKLEARN for baseline in chosen):
        parser.error('these need scikit-learn: pip install ".[baselines]"')
    for baseline in chosen:
        baseline()


if __name__ == "__main__":
    main()
