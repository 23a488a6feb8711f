"""`evaluate`: the metrics of a model on a whole split."""

import os
from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_fm.calibration.arguments import check_classifier
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.evaluation.arguments import check_evaluate, corrupted_group, slice_names
from keras_fm.evaluation.calibrating import known_calibration
from keras_fm.evaluation.calibration_metrics import calibration_metrics, check_sources
from keras_fm.evaluation.corruptions.corruption import corrupt
from keras_fm.evaluation.corruptions.names import check_corruption
from keras_fm.evaluation.generator_evaluation import GeneratorEvaluator
from keras_fm.evaluation.loading import load_examples
from keras_fm.evaluation.out_of_distribution import load_others
from keras_fm.evaluation.slices import sliced_metrics
from keras_fm.evaluation.thresholds import metrics_at_threshold
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.options import Verbose, with_checked_options
from keras_fm.progress import with_verbose
from keras_fm.registry.tasks import is_classification
from keras_fm.serving.thresholds import Threshold, check_threshold_choice
from keras_fm.tasks.base import OnMetrics, Task, task_of

Split = Literal["test", "train", "sample"]


@with_checked_options
@with_verbose
@preserved_global_state()
def evaluate(
    name_or_model: str | os.PathLike[str] | keras.Model,
    *,
    data: Any = None,
    text: str | None = None,
    target: str | None = None,
    split: Split | None = None,
    slice_by: str | Sequence[str] | None = None,
    corruption: str | None = None,
    severity: int | None = None,
    calibration: bool = False,
    out_of_distribution: Any = None,
    threshold: Threshold | None = None,
    quick: bool = False,
    verbose: Verbose = "auto",
    on_metrics: OnMetrics | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on all examples of a split.

    Args:
        name_or_model: A model's name, a run directory, or a model.
        data: Other examples for the same task, in all the ways that `fine_tune` takes them, or for
            a character model the path of a text; a warning counts those on which a run was trained.
            None for the examples that validated a run on a user's own data or on the sample, else
            for the data set of the model's entry.
        text: Of a CSV file of texts the column of the texts.
        target: Of a CSV file of texts the column of their classes.
        split: Of the entry's data set: `"test"` (the default), `"train"`, or `"sample"` (bundled).
        slice_by: Adds the first metric of each slice; one or several of `"label"` (the class, whose
            accuracy is its recall), `"brightness"` of images, `"length"` of texts, and any column
            of a table: each category, or the quartiles of numbers and dates. A column of a user's
            own table need be no input of the model.
        corruption: Corrupts the inputs of a classifier of images (those of Hendrycks and Dietterich
            2019: `"gaussian_noise"`, `"shot_noise"`, `"impulse_noise"`, `"gaussian_blur"`,
            `"brightness"`, `"contrast"`, `"jpeg_compression"`, `"pixelate"`) or of texts
            (`"typos"`, `"case"`, `"negation"`).
        severity: Of the corruption, from 1 to 5; None for 3.
        calibration: Of a classifier: adds how far its probabilities can be trusted; where it is
            calibrated, or a calibration ships with its weights, before and after.
        out_of_distribution: Other data, which the in-distribution score of a classifier should tell
            from its own; implies `calibration`. `"noise"`, the name of a TFDS data set (its test
            split, at most 2,000 inputs), what `pipeline` takes, or a list of these.
        threshold: Of a classifier of two classes: adds its metrics where the second class is
            predicted from this probability on. `"balanced"`, or the costs of errors such as
            `{"false_positive": 1, "false_negative": 5}`, chooses the threshold of the best balanced
            accuracy, or of the lowest mean cost, on these examples: those that validated a run are
            for that, and others then say what it is worth. `pipeline(..., threshold=0.3)` applies
            it.
        quick: Leaves out metrics that a model is trained for, such as the classification accuracy
            score of generated images.
        verbose: 1 draws bars where it takes longer than a moment, 2 prints a line for what takes
            minutes, 0 nothing; `"auto"` is 1 on a terminal and in a notebook, else 2.
        on_metrics: Is called with the metrics that are there before a model is trained for others.

    Returns:
        The metrics of the model's task (`keras_fm/tasks/` says which and in what unit),
        `num_examples`, `data`, and on request `slices`: by what they are sliced by, and by the
        name of each slice, the worst first: the metric, its 95 % `interval` (percentile bootstrap
        of 1,000 resamples; of a proportion of fewer than 30 examples Wilson's), `num_examples`. Of
        a classifier of two classes sliced by a column also `fairness`: by column,
        `demographic_parity_difference` and `equalized_odds_difference`, which are the same
        whichever class counts as the positive one. With a threshold `at_threshold`: `threshold`,
        `positive_class`, `accuracy`, `balanced_accuracy`, `precision`, `recall`, `f1` and of costs
        `mean_cost`.

        `calibration`: `expected_calibration_error` (15 bins of equal width), `cross_entropy`
        (nats), and `reliability`, the bins of the diagram. With a calibration also both after it,
        under names that begin with `calibrated_`, `set_coverage`, how often the class is in the
        prediction set, `mean_set_size`, and `in_distribution`, the share of inputs that are.
        `out_of_distribution`: by its name `auroc`, the area under the ROC curve of the
        in-distribution score, and with a calibration `in_distribution`, the share of these inputs
        that are taken for the model's own.

    Raises:
        DataError: The data set can't be had, or has classes that the model does not know.
        InvalidInputError: An option does not fit, such as a corruption of a table.
        UnknownNameError: The metrics can't be sliced so, or there is no such corruption.
    """
    check_evaluate(
        name_or_model,
        data=data,
        text=text,
        target=target,
        split=split,
        slice_by=slice_by,
        corruption=corruption,
        severity=severity,
        calibration=calibration,
        out_of_distribution=out_of_distribution,
        threshold=threshold,
    )
    model = resolve_model(name_or_model)
    path = run_files.run_path(name_or_model)
    names = slice_names(slice_by)
    user_data = None if data is None else UserData(data, text, target)
    task: Task = task_of(model)
    group = corrupted_group(task.spec.task_name)
    severity = check_corruption(task.spec.name, group, corruption, severity)
    threshold = check_threshold_choice(
        task.spec.name,
        threshold,
        is_classifier=is_classification(task.spec.task_name),
        class_names=task.spec.labels,
    )
    sources = check_sources(out_of_distribution)
    with_calibration = calibration or bool(sources)
    if with_calibration:
        check_classifier(task.spec.name, task.spec.task_name, "calibration")
    examples = load_examples(task, path, user_data, split, names)
    if corruption is not None:
        examples = corrupt(examples, corruption, severity)
    others = load_others(model, examples, sources)
    needs_outputs = with_calibration or threshold is not None
    outputs: Any = task.objective.outputs(model, examples) if needs_outputs else None
    details: dict[str, Any] = {}
    if threshold is not None:
        details["at_threshold"] = metrics_at_threshold(
            outputs, examples, task.spec.labels, threshold
        )
    if with_calibration:
        known = known_calibration(model, name_or_model)
        details |= calibration_metrics(model, known, examples, outputs, others)
    metrics = evaluate_model(
        model, examples, names, outputs=outputs, quick=quick, on_metrics=on_metrics
    )
    sliced = {name: metrics.pop(name) for name in [*metrics] if name in ("slices", "fairness")}
    described = {"num_examples": len(examples), "data": examples.description}
    return {**metrics, **described, **sliced, **details}


def evaluate_model(
    model: keras.Model,
    examples: Examples,
    slice_by: Sequence[str] = (),
    *,
    outputs: Any = None,
    quick: bool = False,
    on_metrics: OnMetrics | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model on examples that were checked.

    Args:
        model: The model.
        examples: Of its task.
        slice_by: See `evaluate`.
        outputs: What the objective's `outputs` returned for them, if it was called before.
        quick: See `evaluate`.
        on_metrics: See `evaluate`.
    """
    task: Task = task_of(model)
    objective = task.objective
    if objective.evaluator_name is not None:
        evaluator = GeneratorEvaluator(objective.evaluator_name)
        outputs = objective.evaluator_outputs(
            model, examples, evaluator, quick=quick, on_metrics=on_metrics
        )
    elif outputs is None:
        outputs = objective.outputs(model, examples)
    metrics = objective.evaluate(model, examples, outputs=outputs)
    if not slice_by:
        return {**metrics}
    return {**metrics, **sliced_metrics(task, examples, outputs, slice_by)}
