"""Precision, recall and F1 by class."""

import numpy as np
import pytest

from keras_fm.evaluation.class_report import MAX_ROWS, class_report, format_class_report

LABELS = ("cat", "dog", "ship", "never")
TARGETS = np.array([0, 0, 0, 0, 1, 1])
PREDICTED = np.array([0, 0, 1, 2, 1, 0])


def test_precision_recall_and_f1_of_each_class():
    report = class_report(LABELS, TARGETS, PREDICTED)
    assert list(report) == ["cat", "dog", "ship"], "a class that comes nowhere has no row"
    assert report["cat"] == pytest.approx(
        {"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "support": 4}
    )
    assert report["dog"] == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2}
    )
    assert report["ship"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}


def test_the_table_has_a_row_for_each_class_and_the_macro_average():
    lines = format_class_report(class_report(LABELS, TARGETS, PREDICTED)).splitlines()
    assert lines[0].split() == ["precision", "recall", "f1", "support"]
    assert lines[1].split() == ["cat", "0.6667", "0.5000", "0.5714", "4"]
    assert lines[-1].split() == ["macro", "average", "0.3889", "0.3333", "0.3571", "6"]
    assert len(lines) == 5


def test_of_many_classes_those_with_the_lowest_f1_are_shown():
    count = MAX_ROWS + 30
    labels = [f"class {index}" for index in range(count)]
    targets = np.arange(count)
    predicted = np.where(targets < 5, count - 1, targets)
    lines = format_class_report(class_report(labels, targets, predicted)).splitlines()
    assert len(lines) == MAX_ROWS + 3
    assert [line.split()[1] for line in lines[1:6]] == ["0", "1", "2", "3", "4"]
    assert lines[-1] == f"(the {MAX_ROWS} classes of {count} with the lowest f1)"
    assert lines[-2].split()[-1] == str(count)
