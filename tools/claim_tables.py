"""Tables of what an entry claims of its weights, as Markdown."""

import re
import statistics
from dataclasses import replace

from keras_fm.evaluation.corruptions.names import SEVERITIES
from keras_fm.registry.entry import Baseline, Entry, Weights
from keras_fm.registry.metrics import (
    CALIBRATION_METRICS,
    CORRUPTED_ACCURACY,
    MEAN_CORRUPTION_ACCURACY,
    METRICS,
    SLICE_ACCURACY,
    Metric,
)

MILLION = 1e6
# As the entry's calibration names its metrics of calibrated probabilities.
CALIBRATED = "calibrated_"


def markdown_table(rows: list[tuple[str, ...]]) -> str:
    """Return a table whose first row has the titles."""
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def metrics_table(record: Weights) -> str:
    """Return each metric of the stored file, and its mean and values over the seeds."""
    rows = [("Metric", "Released file", "Mean over seeds", "By seed")]
    for name, value in record.metrics.items():
        metric = _metric(name, record)
        values = ", ".join(map(metric.format, record.seeds.metrics[name]))
        rows.append((metric.heading, metric.format(value), format_mean(name, record), values))
    return markdown_table(rows)


def baselines_table(entry: Entry) -> str:
    """Return the baselines with their sources; an empty text where there are none."""
    rows = [
        (baseline.method, format_value(entry, baseline, with_title=True), _source(baseline))
        for baseline in entry.baselines
    ]
    return markdown_table([("Baseline", "Result", "Source"), *rows]) if rows else ""


def slices_table(record: Weights) -> str:
    """Return the accuracies of slices, the worst slice first, in a row for what they are by."""
    rows = [
        (
            f"`{slice_by}`",
            ", ".join(
                f"{name}: {SLICE_ACCURACY.format(value)}"
                for name, value in sorted(slices.items(), key=lambda item: item[1])
            ),
        )
        for slice_by, slices in record.slices.items()
    ]
    return markdown_table([("Slices by", "Accuracy, the worst slice first"), *rows]) if rows else ""


def robustness_table(record: Weights) -> str:
    """Return the accuracies on corrupted examples, in a row for each corruption."""
    claims = record.robustness
    if claims is None:
        return ""
    severities = [f"{severity + 1}" for severity in range(SEVERITIES)]
    rows = [
        (f"`{corruption}`", *map(CORRUPTED_ACCURACY.format, [*values, statistics.fmean(values)]))
        for corruption, values in claims.corrupted.items()
    ]
    blank = ("",) * SEVERITIES
    rows += [
        ("all", *blank, MEAN_CORRUPTION_ACCURACY.format(claims.mean_accuracy)),
        ("uncorrupted", *blank, CORRUPTED_ACCURACY.format(claims.uncorrupted)),
    ]
    return markdown_table([("Corruption, by severity", *severities, "mean"), *rows])


def calibration_table(record: Weights) -> str:
    """Return the figures of a calibration, and how well it tells other data from the split's."""
    claims = record.calibration
    if claims is None:
        return ""
    rows = [("Calibration", "Raw", "Calibrated")]
    for name, metric in CALIBRATION_METRICS.items():
        if name not in claims.metrics or name.startswith(CALIBRATED):
            continue
        value = metric.format(claims.metrics[name])
        calibrated = claims.metrics.get(CALIBRATED + name)
        # What has no raw counterpart is a figure of the calibration.
        cells = ("", value) if calibrated is None else (value, metric.format(calibrated))
        rows.append((metric.heading, *cells))
    auroc = CALIBRATION_METRICS["auroc"]
    rows += [
        (f"In distribution: AUROC against {name}", "", auroc.format(value))
        for name, value in claims.auroc.items()
    ]
    return markdown_table(rows)


def cost_table(entry: Entry, record: Weights) -> str:
    """Return the size of the model and of its file, and what trained it."""
    environment = record.training_environment
    rows = [
        ("Parameters", f"{record.num_parameters:,}"),
        (f"FLOPs for one {unit_of_flops(entry)}", _count(record.flops)),
        ("File", f"{record.file_size:,} bytes, {record.storage}"),
        *([("Initialized from", f"`{entry.init_from}`")] if record.init_from_sha256 else []),
        *([("Distilled from", f"`{record.teacher}`")] if record.teacher else []),
        ("Training time", f"{environment.minutes:.1f} minutes, {environment.precision}"),
        ("Hardware", environment.hardware),
        *_hardware_of_other_seeds(record),
        ("Software", f"Keras {environment.keras}, {environment.backend}"),
    ]
    return markdown_table([("Size and cost", "Value"), *rows])


def _hardware_of_other_seeds(record: Weights) -> list[tuple[str, str]]:
    """Return a row of the seeds that were trained on other hardware than the stored file."""
    trained = zip(record.seeds.seeds, record.hardware, record.seeds.minutes, strict=True)
    others = [
        f"seed {seed}: {minutes:.1f} minutes, {hardware}"
        for seed, hardware, minutes in trained
        if hardware != record.training_environment.hardware
    ]
    return [("Other seeds", "; ".join(others))] if others else []


def unit_of_flops(entry: Entry) -> str:
    """Return what FLOPs are counted for: where the input has any length, one step of it."""
    if not any(isinstance(size, str) for model_input in entry.inputs for size in model_input.shape):
        return "example"
    if entry.vocabulary is None:
        return "character of a text"
    return {"words": "word of a text", "wordpiece": "token of a text"}[entry.tokenizer]


def _count(count: int) -> str:
    return f"{count / MILLION:,.1f} million" if count >= MILLION / 10 else f"{count:,}"


def format_value(entry: Entry, baseline: Baseline, with_title: bool = False) -> str:
    """Return a baseline's value, as precise as the claim; of another metric with its title."""
    metric = METRICS[baseline.metric]
    record = entry.weights_of() if entry.pretrained else None
    is_claimed = record is not None and baseline.metric in record.metrics
    if record is not None and is_claimed:
        metric = _metric(baseline.metric, record)
    title = f"{metric.title} " if with_title or not is_claimed else ""
    return f"{title}{metric.format(baseline.value)}"


def _source(baseline: Baseline) -> str:
    is_url = baseline.source.startswith("http")
    return f"<{baseline.source}>" if is_url else f"`{baseline.source}`"


def format_mean(name: str, record: Weights) -> str:
    """Return a metric's mean and standard deviation over the seeds."""
    format_of, values = _metric(name, record).format, record.seeds.metrics[name]
    if len(values) == 1:
        return f"{format_of(values[0])} (1 seed)"
    deviation = f" ± {format_of(statistics.stdev(values))}" if len(set(values)) > 1 else ""
    return f"{format_of(statistics.mean(values))}{deviation} ({len(values)} seeds)"


def _metric(name: str, record: Weights) -> Metric:
    """Return the metric; with two more digits where its seeds differ by less than it shows."""
    metric, values = METRICS[name], record.seeds.metrics[name]
    if len(set(values)) == 1 or re.search("[1-9]", metric.format(statistics.stdev(values))):
        return metric
    return replace(
        metric,
        format_spec=re.sub(r"\d", lambda digits: str(int(digits[0]) + 2), metric.format_spec),
    )
