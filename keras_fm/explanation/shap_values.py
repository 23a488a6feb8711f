"""SHAP values of the columns of a table, by the package `shap`.

Source: Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions"
(arXiv:1705.07874).
"""

from collections.abc import Mapping

import keras
import numpy as np

from keras_fm.data.examples import concatenate, take_rows
from keras_fm.explanation.decomposition import Decomposition
from keras_fm.tasks.base import ExplainablePredictor, ExplainedInput

MAX_BACKGROUND = 100  # rows that a row is compared with, as many as shap's maskers draw
_PERMUTATIONS = 10

Columns = Mapping[str, np.ndarray]


def draw_background(columns: Columns) -> Columns:
    """Return at most `MAX_BACKGROUND` rows of encoded columns, the same each time."""
    count = len(next(iter(columns.values())))
    if count <= MAX_BACKGROUND:
        return columns
    rows = np.random.default_rng(0).choice(count, MAX_BACKGROUND, replace=False)
    return take_rows(columns, np.sort(rows))


def shap_values(
    model: keras.Model,
    predictor: ExplainablePredictor,
    explained: ExplainedInput,
    background: Columns,
) -> tuple[np.ndarray, Decomposition]:
    """Return the model's output `[1, ...]`, and how its score is made up of those of the columns.

    The columns are added in some orders, in each of which those that are not there yet have the
    cells of the background's rows.

    Args:
        model: Of a table.
        predictor: Of its task.
        explained: A row.
        background: Encoded columns, `[rows]`; the mean of their scores is what the values add up
            from.
    """
    import shap

    output = predictor.predict(model, explained.inputs)
    pool = concatenate([dict(background), explained.inputs])
    num_rows = len(next(iter(pool.values())))

    def scores_of(row_indices: np.ndarray) -> np.ndarray:
        """Return the scores of rows whose cells are those of the pool's rows, by column."""
        cells = row_indices.astype(int).T
        rows = {name: pool[name][index] for name, index in zip(pool, cells, strict=True)}
        return predictor.target_scores(predictor.predict(model, rows), output[0])

    # A column may be a category or several numbers, which shap can't mask: the row's index can be.
    row_indices = np.repeat(np.arange(num_rows, dtype="float64")[:, None], len(pool), axis=1)
    masker = shap.maskers.Independent(row_indices[:-1], max_samples=num_rows)
    explainer = shap.explainers.Permutation(scores_of, masker, seed=0)
    evaluations = _PERMUTATIONS * (2 * len(pool) + 1)
    result = explainer(row_indices[-1:], max_evals=evaluations, silent=True)
    [score] = predictor.target_scores(output, output[0])
    base_score = float(np.ravel(result.base_values)[0])
    return output, Decomposition(result.values[0], float(score), base_score)
