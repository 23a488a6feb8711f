"""What terminals and notebooks show of a run."""

from typing import TYPE_CHECKING

from keras_fm import notebook
from keras_fm.formatting import format_repr, format_value
from keras_fm.tasks.base import task_of

if TYPE_CHECKING:
    from keras_fm.training.runs import Run


def to_text(run: "Run") -> str:
    """Return what was trained, where it lies, and its metrics, in a few lines."""
    metrics = ", ".join(f"{name} {_format(value)}" for name, value in run.metrics.items())
    return format_repr(
        [
            f"run of {run.model.name} in {run.path}",
            f"{metrics or 'no validation'}, {run.minutes:.1f} minutes",
        ]
    )


def to_html(run: "Run") -> str:
    """Return a table of the metrics, and of those of what the run is compared with."""
    baseline_name = f"{task_of(run.model).objective.baseline_name} baseline"
    methods = {"this run": run.metrics, **run.comparisons, baseline_name: run.baseline}
    rows = [
        [
            notebook.escape(title),
            *(_format(metrics[name]) if name in metrics else "" for name in run.metrics),
        ]
        for title, metrics in methods.items()
        if metrics
    ]
    title = notebook.escape(f"Run of {run.model.name}, {run.minutes:.1f} minutes: {run.path}")
    return f"<p><b>{title}</b></p>{notebook.table(rows, ('', *run.metrics))}"


def _format(value: float) -> str:
    return format_value(value, ".4f", 1e-3)
