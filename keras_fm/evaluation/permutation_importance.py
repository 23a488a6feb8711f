"""Permutation importance: how much worse a model of a table gets without what a column says.

Source: Breiman 2001, "Random Forests"; Fisher, Rudin and Dominici 2019 (arXiv:1801.01489).
"""

from dataclasses import replace

import keras
import numpy as np

from keras_fm.data.examples import Examples, concatenate
from keras_fm.registry.metrics import METRICS
from keras_fm.tasks.base import ScoredObjective, task_of

REPEATS = 3  # shuffles of a column, whose mean counts
MAX_CELLS = 60_000  # rows that are predicted; of more examples some are drawn


def permutation_importance(
    model: keras.Model, examples: Examples, seed: int = 0
) -> dict[str, float]:
    """Return by how much the first metric gets worse where a column's cells are shuffled.

    Of two columns that say the same, each has little importance: the other one is left.

    Args:
        model: Of a table.
        examples: Those with folds are predicted by the members that left them out.
        seed: Of the shuffles, and of the examples that are drawn.

    Returns:
        By column, the most important one first; in the unit of the metric, of a proportion of
        correct examples its fall. About 0, or less, where a column says nothing.
    """
    objective, rng = task_of(model).objective, np.random.default_rng(seed)
    assert isinstance(objective, ScoredObjective), "models of tables predict values or classes"
    names = list(examples.inputs)
    count = min(len(examples), max(1, MAX_CELLS // (REPEATS * len(names))))
    rows = rng.choice(len(examples), count, replace=False)
    drawn = examples.subset(rows, examples.description)
    variants = [drawn.inputs]
    for name in names:
        for _ in range(REPEATS):
            shuffled = drawn.inputs[name][rng.permutation(count)]
            variants.append({**drawn.inputs, name: shuffled})
    folds = None if drawn.folds is None else np.tile(drawn.folds, len(variants))
    targets = np.tile(drawn.targets, len(variants))
    everything = Examples(concatenate(variants), targets, drawn.description, folds=folds)
    outputs = np.split(objective.outputs(model, everything), len(variants))
    plain = replace(drawn, folds=None)
    scores = [objective.score(output, plain) for output in outputs]
    metric = next(iter(scores[0]))
    values = np.array([score[metric] for score in scores])
    is_proportion = metric in METRICS and METRICS[metric].is_proportion
    rises = values[0] - values[1:] if is_proportion else values[1:] - values[0]
    means = rises.reshape(len(names), REPEATS).mean(axis=1)
    return {names[index]: float(means[index]) for index in np.argsort(-means, kind="stable")}
