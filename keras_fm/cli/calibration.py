"""How the calibration of a classifier is printed."""

from collections.abc import Mapping
from typing import Any

from keras_fm.cli.printing import print_table
from keras_fm.registry.metrics import CALIBRATION_METRICS


def print_calibration(
    calibration: Mapping[str, Any], others: Mapping[str, Mapping[str, float]]
) -> None:
    """Print what `evaluate` says of a calibration, and of data that the model did not learn."""
    if not calibration:
        return
    rows = []
    if "temperature" in calibration:
        rows.append(
            (
                "calibrated on",
                f"{calibration['calibrated_on']}: temperature {calibration['temperature']:.3g}, "
                f"coverage {calibration['coverage']:g}",
            )
        )
    rows += [
        (metric.title, metric.format(calibration[name]))
        for name, metric in CALIBRATION_METRICS.items()
        if name in calibration
    ]
    for name, values in others.items():
        text = f"{values['auroc']:.4f} on {values['num_inputs']:,} inputs"
        if "in_distribution" in values:
            text += f", of which {values['in_distribution']:.2%} are taken for the model's own"
        rows.append((f"AUROC against {name}", text))
    print()
    print_table(rows)
    if calibration["reliability"]:
        print()
        print_table(
            [
                ("confidence", "accuracy", "examples"),
                *(
                    (
                        f"{row['lower']:.2f} to {row['upper']:.2f}",
                        f"{row['accuracy']:.2%}",
                        f"{row['num_examples']:,}",
                    )
                    for row in calibration["reliability"]
                ),
            ]
        )
