"""The metric that a search compares trials by, on the validation examples alone."""

from keras_fm.data.datasets import SAMPLE
from keras_fm.errors import DataError, UnknownNameError, suggest
from keras_fm.registry.metrics import METRICS, headline_metric
from keras_fm.training.jobs import TrainingJob


def resolve_metric(job: TrainingJob, metric: str | None) -> str:
    """Return the metric of a search, before anything is trained.

    Args:
        job: A trial's training.
        metric: As `tune` takes it.

    Raises:
        DataError: No example validates.
        UnknownNameError: The trainings have no such metric.
    """
    if job.validation is None:
        raise DataError(
            f"expected validation examples to compare trials by; of {job.examples.description} "
            "none validates: validation_split=0.1 (--validation-split 0.1) takes a tenth"
        )
    names = _metric_names(job)
    if metric is None:
        compared = {baseline.metric for baseline in job.spec.entry.baselines}
        return headline_metric(names, compared)
    if metric not in names:
        raise UnknownNameError(
            f"{job.spec.name} has no metric {metric!r} on its validation examples. "
            f"{suggest(metric, names)}"
        )
    return metric


def is_greater_better(metric: str) -> bool:
    """Return whether a greater value is better; cross-entropy, which no entry claims, is a loss."""
    return metric in METRICS and METRICS[metric].greater_is_better


def _metric_names(job: TrainingJob) -> list[str]:
    """Return the metrics of a training: those of a constant prediction, or of the released weights.

    A generator has no constant prediction; a classifier of images has metrics beside those.
    """
    assert job.validation is not None, "the caller checks it"
    names = [*job.task.objective.baseline(job.examples, job.validation)]
    entry = job.spec.entry
    if job.spec.is_default and entry.default_weights is not None:
        record = entry.weights_of()
        claimed = record.sample_metrics if job.split == SAMPLE else record.metrics
        names += [name for name in claimed if name not in names]
    return names
