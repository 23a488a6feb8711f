"""The metrics that an entry can claim: their names, how they are written and compared."""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Metric:
    """How one metric is shown and compared.

    Attributes:
        title: In tables.
        format_spec: The format specification of a value.
        tolerance: How much a value may differ on other hardware.
        is_proportion: Whether it is the proportion of correct examples, one of which may be a tie.
        upper_bound: No value is above it.
        needs_training: Whether a model is trained to measure it, which takes minutes.
        greater_is_better: As scikit-learn's scorers have it.
    """

    title: str
    format_spec: str
    tolerance: float
    is_proportion: bool = False
    upper_bound: float = math.inf
    needs_training: bool = False
    greater_is_better: bool = False

    @property
    def heading(self) -> str:
        """The title at the start of a line."""
        return self.title[0].upper() + self.title[1:]

    def format(self, value: float) -> str:
        """Write a value as tables show it."""
        return f"{value:{self.format_spec}}"

    def agrees(self, claimed: float, measured: float, num_examples: int) -> bool:
        """Return whether a measurement on so many examples confirms a claim."""
        one_example = 1.01 / num_examples if self.is_proportion else 0.0
        return abs(claimed - measured) <= max(self.tolerance, one_example)


def _proportion(title: str) -> Metric:
    # Five examples of 10,000, and half of the claim's last digit, which is rounded.
    return Metric(
        title,
        ".2%",
        tolerance=0.00055,
        is_proportion=True,
        upper_bound=1.0,
        greater_is_better=True,
    )


def headline_metric(metrics: Sequence[str], compared: Container[str]) -> str:
    """Return the metric that stands for a model where one has room.

    Args:
        metrics: The names of those that it has, one or more.
        compared: The names of those that its baselines have: the first of them is taken, else the
            first metric.
    """
    return next((name for name in metrics if name in compared), metrics[0])


METRICS = {
    "accuracy": _proportion("accuracy"),
    "auc": Metric(
        "area under the ROC curve",
        ".4f",
        tolerance=0.0005,
        upper_bound=1.0,
        greater_is_better=True,
    ),
    # Test-time augmentation: averaged with the logits of the mirrored image.
    "accuracy_tta": _proportion("accuracy, mirror TTA"),
    # Of a classifier trained on generated images alone (Ravuri and Vinyals 2019, arXiv:1905.10887);
    # on other hardware or in other precision that is another one.
    "classification_accuracy_score": replace(
        _proportion("classification accuracy score"), tolerance=0.01, needs_training=True
    ),
    "evaluator_accuracy": _proportion("evaluator accuracy"),
    "frechet_distance": Metric("Fréchet distance", ".4f", tolerance=0.0005),
    "frechet_distance_real": Metric("Fréchet distance of real images", ".4f", tolerance=0.0005),
    # Of baselines alone: it needs an Inception network, and nothing here measures it.
    "fid": Metric("FID", ".1f", tolerance=0.05),
    "min_class_variance_ratio": Metric(
        "smallest class variance ratio", ".3f", tolerance=0.002, greater_is_better=True
    ),
    "masked_accuracy": _proportion("accuracy on masked tokens"),
    "perplexity": Metric("perplexity", ".3f", tolerance=0.01),
    "bits_per_character": Metric("bits per character", ".3f", tolerance=0.0005),
    "rmse_log": Metric("RMSE of the log", ".4f", tolerance=0.0001),
    "rmse": Metric("RMSE", ",.2f", tolerance=0.05),
    "mae": Metric("mean absolute error", ",.2f", tolerance=0.05),
    "r2": Metric("R squared", ".4f", tolerance=0.0001, upper_bound=1.0, greater_is_better=True),
}

# Of a calibrated classifier, beside the metrics of its task: `keras_fm.calibration.metrics`.
CALIBRATION_METRICS = {
    "expected_calibration_error": Metric(
        "calibration error (ECE)", ".4f", tolerance=0.001, upper_bound=1.0
    ),
    "cross_entropy": Metric("cross-entropy", ".4f", tolerance=0.001),
    "calibrated_expected_calibration_error": Metric(
        "calibrated: ECE", ".4f", tolerance=0.001, upper_bound=1.0
    ),
    "calibrated_cross_entropy": Metric("calibrated: cross-entropy", ".4f", tolerance=0.001),
    "set_coverage": _proportion("coverage of prediction sets"),
    "mean_set_size": Metric("mean size of prediction sets", ".3f", tolerance=0.003),
    "in_distribution": _proportion("share in distribution"),
    "auroc": Metric("AUROC", ".4f", tolerance=0.002, upper_bound=1.0),
}

# Of a classifier on slices of the test split, which are smaller than it: two examples of 1,000.
SLICE_ACCURACY = replace(_proportion("accuracy"), tolerance=0.0021)

# On corrupted examples: noise moves many to the boundary between classes, and another JPEG library
# rounds otherwise. Of one severity, and the mean over corruptions and severities.
CORRUPTED_ACCURACY = replace(_proportion("accuracy"), format_spec=".1%", tolerance=0.0065)
MEAN_CORRUPTION_ACCURACY = replace(
    _proportion("mean corruption accuracy"),
    format_spec=".1%",
    tolerance=0.0025,
    is_proportion=False,  # of many times as many predictions as there are examples
)
