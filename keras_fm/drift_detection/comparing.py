"""From the sketches of two sides to a report of what moved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.drift_detection import statistics
from keras_fm.drift_detection.report import DriftReport, FeatureDrift
from keras_fm.drift_detection.statistics import FALSE_ALARMS, MODERATE
from keras_fm.sketches.histograms import MISSING, Categories, Histogram, Numbers, Vectors
from keras_fm.sketches.sketch import Sketch


def compare_sketches(
    version: Path, sketch: Sketch, requests: Sketch, notes: Sequence[str]
) -> DriftReport:
    """Compare the features that were measured on both sides.

    Args:
        version: Of the export, for the report.
        sketch: Of the training inputs.
        requests: With the same bins.
        notes: Of the report.
    """
    features = []
    needed: list[int] = []
    shared = [name for name, values in requests.features.items() if values.num_values]
    probability = FALSE_ALARMS / max(len(shared), 1)
    for name in shared:
        drifted = _compare_feature(
            name, sketch.features[name], requests.features[name], probability
        )
        features.append(drifted)
        num_bins = len(drifted.bins) if drifted.bins else 2
        if drifted.noise != 0.0 and num_bins > 1:
            needed.append(
                statistics.requests_needed(num_bins, sketch.num_examples, probability, MODERATE)
            )
    features.sort(key=lambda x: (x.is_noise, -x.psi))
    return DriftReport(
        str(version),
        sketch.source,
        sketch.num_examples,
        requests.num_examples,
        tuple(features),
        max(needed) if needed and all(needed) else None,
        tuple(notes),
    )


def _compare_feature(
    name: str, reference: Histogram, requests: Histogram, probability: float
) -> FeatureDrift:
    role, _, plain_name = name.partition(":")
    counts = reference.num_values, requests.num_values
    if isinstance(reference, Vectors) and isinstance(requests, Vectors):
        shift = statistics.mean_shift(reference, requests)
        p_value = statistics.mean_shift_p_value(shift, *counts)
        noise = statistics.mean_shift_noise(*counts, probability)
        change = f"the mean moved by {shift**0.5:.2f} standard deviations"
        return FeatureDrift(
            plain_name, role, "vectors", shift, noise, None, p_value, None, None, change
        )
    bins = statistics.comparable_bins(reference, requests)
    noise_or_none: float | None = None
    if len(bins.names) > 1:
        noise_or_none = statistics.psi_noise(len(bins.names), *counts, probability)
    elif statistics.is_same_constant(reference, requests):
        noise_or_none = 0.0
    shared: dict[str, Any] = {
        "psi": statistics.psi(bins.reference, bins.requests),
        "noise": noise_or_none,
        "bins": tuple(bins.names),
        "reference_counts": tuple(bins.reference.tolist()),
        "request_counts": tuple(bins.requests.tolist()),
    }
    if isinstance(reference, Numbers) and isinstance(requests, Numbers):
        ks, p_value = statistics.ks_test(reference, requests)
        if MISSING in bins.names:  # which have no place among the numbers
            _, p_value = statistics.chi_square_test(bins)
        means = reference.mean, requests.mean
        words = [statistics.format_number(mean, reference) for mean in means]
        change = f"mean {words[0]} -> {words[1]}{_describe_missing(reference, requests)}"
        return FeatureDrift(
            plain_name, role, "numbers", ks=ks, p_value=p_value, reference=means[0],
            requests=means[1], change=change, **shared,
        )  # fmt: skip
    _, p_value = statistics.chi_square_test(bins)
    sides = [side / max(side.sum(), 1) for side in (bins.reference, bins.requests)]
    index = int(np.abs(sides[1] - sides[0]).argmax())
    shares = float(sides[0][index]), float(sides[1][index])
    change = f"{bins.names[index]} {shares[0]:.1%} -> {shares[1]:.1%}"
    return FeatureDrift(
        plain_name, role, "categories", ks=None, p_value=p_value, reference=shares[0],
        requests=shares[1], change=change, **shared,
    )  # fmt: skip


def _describe_missing(reference: Numbers | Categories, requests: Numbers | Categories) -> str:
    if not (reference.missing or requests.missing):
        return ""
    shares = [side.missing / side.num_values for side in (reference, requests)]
    return f", missing {shares[0]:.1%} -> {shares[1]:.1%}"
