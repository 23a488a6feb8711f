"""What the schema of an entry can't say: fields that have to fit each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_fm.errors import SchemaError, suggest
from keras_fm.registry.metrics import CALIBRATION_METRICS, METRICS, Metric
from keras_fm.registry.tasks import is_classification

if TYPE_CHECKING:
    from keras_fm.registry.entry import Entry, Weights


def check_across_fields(entry: "Entry", path: Path) -> None:
    """Check that the fields of an entry fit each other.

    Raises:
        SchemaError: They do not; the message names file, field and value.
    """
    if entry.name != path.parent.name:
        raise SchemaError(
            f"{path}: field 'name': expected the folder's name {path.parent.name!r}, "
            f"received {entry.name!r}"
        )
    tags = sorted(tag for tag, record in entry.weights.items() if record.task is None)
    if entry.default_weights not in tags and (tags or entry.pretrained):
        raise SchemaError(
            f"{path}: field 'default_weights': expected one of {tags}, the weights of the entry's "
            f"task, or none without them; received {entry.default_weights!r}"
        )
    if entry.pretraining is not None and entry.init_from is not None:
        raise SchemaError(
            f"{path}: fields 'pretraining' and 'init_from': a training begins with one of them; "
            f"received {entry.pretraining!r} and {entry.init_from!r}"
        )
    if entry.task.endswith("regression") and entry.target is None:
        raise SchemaError(f"{path}: field 'target': a regression names what it predicts")
    if entry.task == "image-generation" and not (entry.output and entry.evaluator and entry.labels):
        raise SchemaError(
            f"{path}: fields 'output', 'evaluator' and 'labels': a generator says what it makes, "
            "of which classes, and which model of the zoo evaluates its images"
        )
    categories = [value for each_input in entry.inputs for value in each_input.categories]
    if entry.task == "text-generation" and any(len(value) != 1 for value in categories):
        raise SchemaError(f"{path}: field 'inputs': expected single characters as categories")
    if entry.task == "text-classification" and entry.vocabulary is None:
        raise SchemaError(f"{path}: field 'vocabulary': expected the name of a file in the folder")
    if is_classification(entry.task) and len(entry.labels) < 2:
        raise SchemaError(
            f"{path}: field 'labels': a classifier has at least 2, received {entry.labels!r}"
        )


def check_metrics(record: "Weights", where: str) -> None:
    """Check that all claims of a weights file are of the same known metrics, and possible values.

    Raises:
        SchemaError: They are not.
    """
    metrics = [*record.metrics]
    for table, names, expected in (
        # Some metrics need more examples than a sample has.
        (
            "sample_metrics",
            [*record.sample_metrics],
            [name for name in metrics if name in record.sample_metrics],
        ),
        ("seeds.metrics", [*record.seeds.metrics], metrics),
    ):
        if names != expected or not names:
            raise SchemaError(
                f"{where}: field {table!r}: expected {metrics} as in 'metrics', received {names}"
            )
    for name, value in record.metrics.items():
        check_metric(name, value, where, field="metrics")
    for name, value in record.calibration.metrics.items() if record.calibration else ():
        check_metric(name, value, where, field="calibration.metrics", known=CALIBRATION_METRICS)
    for table in ("slices", "robustness"):
        if getattr(record, table) and "accuracy" not in metrics:
            raise SchemaError(
                f"{where}: field {table!r}: expected none but of a classifier, which claims its "
                f"'accuracy'; received metrics {metrics}"
            )


def check_metric(
    name: str, value: float, where: str, field: str, known: Mapping[str, Metric] = METRICS
) -> None:
    """Check that there is such a metric, and that it can have such a value.

    Raises:
        SchemaError: There is none, or it can't.
    """
    if name not in known:
        raise SchemaError(f"{where}: field {field!r}: no metric {name!r}. {suggest(name, known)}")
    if value > known[name].upper_bound:
        raise SchemaError(
            f"{where}: field '{field}.{name}': expected at most {known[name].upper_bound}, "
            f"received {value}"
        )
