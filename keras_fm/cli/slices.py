"""What `evaluate` prints of slices."""

from collections.abc import Mapping
from typing import Any

from keras_fm.cli.printing import print_table
from keras_fm.formatting import format_count, format_value

FEW_EXAMPLES = 30  # of fewer, a line says so
MAX_ROWS = 20  # slices in a table; of more, the worst

_SLICE_NOTE = "intervals are 95 %, by 1,000 bootstrap resamples of the examples"
_FEW_NOTE = (
    f"fewer than {FEW_EXAMPLES} examples (*) say little: the interval of a proportion is Wilson's"
)


def print_slices(
    slices: Mapping[str, Mapping[str, Mapping[str, Any]]], fairness: Mapping[str, Any]
) -> None:
    """Print a table for each thing that metrics are sliced by.

    Args:
        slices: As `evaluate` returns them.
        fairness: As `evaluate` returns it.
    """
    for slice_by, by_name in slices.items():
        _print_table(slice_by, by_name)
        if slice_by in fairness:
            print_table(
                [
                    (name.replace("_", " "), format_metric(value))
                    for name, value in fairness[slice_by].items()
                ]
            )
    if slices:
        has_few = any(is_small(slice_) for rows in slices.values() for slice_ in rows.values())
        print(f"\n{_SLICE_NOTE}{f'; {_FEW_NOTE}' if has_few else ''}")


def is_small(slice_: Mapping[str, Any]) -> bool:
    """Return whether a slice has few examples."""
    return slice_["num_examples"] < FEW_EXAMPLES


def format_metric(value: float) -> str:
    """Write a metric."""
    return format_value(value, ".4f", 1e-3)


def format_interval(interval: list[float] | None) -> str:
    """Write an interval."""
    return "none" if interval is None else " to ".join(map(format_metric, interval))


def _print_table(slice_by: str, by_name: Mapping[str, Mapping[str, Any]]) -> None:
    metric = next(iter(next(iter(by_name.values()))))
    title = "recall" if (slice_by, metric) == ("label", "accuracy") else metric
    rows = [(slice_by, title, "interval", "examples")]
    for name, slice_ in [*by_name.items()][:MAX_ROWS]:
        mark = " *" * is_small(slice_)
        cells = format_metric(slice_[metric]), format_interval(slice_["interval"])
        rows.append((name, *cells, f"{slice_['num_examples']:,}{mark}"))
    print()
    print_table(rows)
    if len(by_name) > MAX_ROWS:
        print(f"(the {MAX_ROWS} worst of {format_count(len(by_name), 'slice')})")
