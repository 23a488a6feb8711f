"""What a model of a user's own table is compared with: other methods, on the same rows."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.progress import track
from keras_fm.registry.metrics import METRICS
from keras_fm.registry.recipe import OWN_DATA
from keras_fm.training.jobs import TrainingJob

LINEAR, TREES = "linear model", "gradient boosting"
MAX_ROWS = 20_000  # on which trees are fitted: of more it would take longer than the training
MAX_CATEGORIES = 254  # of a column that scikit-learn's trees take as categories
# Another method is as good where its error is larger by less than this part.
MARGIN = 0.01


def compare_with_others(model: keras.Model, job: TrainingJob) -> dict[str, dict[str, float]]:
    """Return the metrics of other methods on the rows that validate, by the methods' names.

    A linear model where the members of the model begin as such, and gradient boosting where
    scikit-learn is installed and the rows are not too many; fitted to the rows that the model, or
    each of its members, is trained on.

    Args:
        model: The initial one.
        job: The training; others than on a user's own table are compared with nothing here.
    """
    is_table = isinstance(job.examples.inputs, dict)
    if not is_table or job.recipe.dataset != OWN_DATA or job.validation is None:
        return {}
    objective: Any = job.task.objective
    comparisons = {}
    if job.spec.folds:
        outputs = objective.outputs(model, job.validation)
        comparisons[LINEAR] = objective.score(outputs, job.validation)
    if find_spec("sklearn") is not None and len(job.examples) <= MAX_ROWS:
        comparisons[TREES] = objective.score(_boosted_trees(job, job.validation), job.validation)
    return comparisons


def describe_comparisons(
    metrics: Mapping[str, float], comparisons: Mapping[str, Mapping[str, float]]
) -> str:
    """Return a sentence on the methods that are as good as the model, "" where none is.

    Args:
        metrics: Of the model, the first one first.
        comparisons: As `compare_with_others` returns them, and others.
    """
    name = next(iter(metrics), "")
    as_good = [
        f"a {method}" if method == LINEAR else method
        for method in (LINEAR, TREES)
        if name in comparisons.get(method, {})
        and _error(name, comparisons[method]) <= (1 + MARGIN) * _error(name, metrics)
    ]
    verb = "is" if len(as_good) == 1 else "are"
    return f"{' and '.join(as_good)} {verb} as good by {name}" if as_good else ""


def _error(name: str, metrics: Mapping[str, float]) -> float:
    """Return a metric of which less is better."""
    is_proportion = name in METRICS and METRICS[name].is_proportion
    return 1 - metrics[name] if is_proportion else metrics[name]


def _boosted_trees(job: TrainingJob, validation: Examples) -> np.ndarray:
    """Return the outputs of trees for the validation rows, as those of the model."""
    if validation.folds is None:
        return _outputs(job, job.examples, validation)
    outputs: np.ndarray | None = None
    for fold in track(np.unique(validation.folds), "gradient boosting of each fold"):
        left_out = validation.folds == fold
        learned = validation.subset(~left_out, validation.description)
        predicted = _outputs(job, learned, validation.subset(left_out, validation.description))
        if outputs is None:
            outputs = np.zeros((len(validation), *predicted.shape[1:]), "float32")
        outputs[left_out] = predicted
    assert outputs is not None, "there are folds"
    return outputs


def _outputs(job: TrainingJob, learned: Examples, rows: Examples) -> np.ndarray:
    from sklearn import ensemble
    from threadpoolctl import threadpool_limits  # which scikit-learn brings

    table, categories = _table(job, learned)
    kind = "HistGradientBoostingClassifier" if job.spec.labels else "HistGradientBoostingRegressor"
    trees = getattr(ensemble, kind)(categorical_features=categories, random_state=job.seed)
    log = job.spec.target is not None and job.spec.target.log
    other, _ = _table(job, rows)
    # On few rows threads wait for each other: two take longer than one, on busy cores ten times.
    with threadpool_limits(1, "openmp"):
        trees.fit(table, np.log(learned.targets) if log else learned.targets)
        predicted = trees.predict_proba(other) if job.spec.labels else trees.predict(other)
    if not job.spec.labels:
        return np.exp(predicted) if log else predicted
    logits = np.full((len(rows), len(job.spec.labels)), np.log(1e-7), "float32")
    logits[:, trees.classes_] = np.log(np.maximum(predicted, 1e-7))
    return logits


def _table(job: TrainingJob, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns, NaN where a cell is missing or unknown, and which are categories."""
    columns, is_category = [], []
    for column in job.task.data.encode(examples).inputs.values():
        is_index = column.dtype.kind == "i" and column.ndim == 1  # the counts of words are numbers
        cells = column.astype("float64").reshape(len(column), -1)
        columns.append(np.where(cells == 0, np.nan, cells) if is_index else cells)
        is_category += [is_index and cells.max(initial=0) <= MAX_CATEGORIES] * cells.shape[1]
    return np.column_stack(columns), np.array(is_category)
