"""Precision, recall and F1 of each class, as scikit-learn's `classification_report` has them."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_fm.formatting import format_table

MAX_ROWS = 20  # classes in a table; of more, those with the lowest F1
METRICS = ("precision", "recall", "f1")
ClassReport = Mapping[str, Mapping[str, float]]


def class_report(
    labels: Sequence[str], targets: np.ndarray, predicted: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return `precision`, `recall`, `f1` and `support` of each class that occurs or is predicted.

    What is undefined is 0: the precision of a class that is never predicted, the recall of one that
    has no example.

    Args:
        labels: The class names.
        targets: Indices of the classes, `[examples]`.
        predicted: Those of the predicted ones, `[examples]`.
    """
    num_labels = len(labels)
    support = np.bincount(targets, minlength=num_labels)
    num_predicted = np.bincount(predicted, minlength=num_labels)
    correct = np.bincount(targets[targets == predicted], minlength=num_labels)
    report = {}
    for index in np.flatnonzero(support + num_predicted).tolist():
        report[labels[index]] = {
            "precision": float(correct[index] / max(1, num_predicted[index])),
            "recall": float(correct[index] / max(1, support[index])),
            "f1": float(2 * correct[index] / (support[index] + num_predicted[index])),
            "support": int(support[index]),
        }
    return report


def format_class_report(report: ClassReport) -> str:
    """Return the report as a table, with the macro average; cut where there are many classes."""
    rows = list(report.items())
    if len(rows) > MAX_ROWS:
        rows = sorted(rows, key=lambda row: row[1]["f1"])[:MAX_ROWS]
    average = {name: float(np.mean([row[name] for row in report.values()])) for name in METRICS}
    total = sum(row["support"] for row in report.values())
    lines: list[tuple[str, ...]] = [("", *METRICS, "support")]
    lines += [(label, *_cells(row), f"{row['support']:,}") for label, row in rows]
    lines.append(("macro average", *_cells(average), f"{total:,}"))
    table = format_table(lines, str.rjust)
    if len(report) > MAX_ROWS:
        table += f"\n(the {MAX_ROWS} classes of {len(report):,} with the lowest f1)"
    return table


def _cells(row: Mapping[str, float]) -> list[str]:
    return [f"{row[name]:.4f}" for name in METRICS]
