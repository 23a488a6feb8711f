"""What terminals and notebooks show of an entry."""

from typing import TYPE_CHECKING

from keras_fm import notebook
from keras_fm.formatting import format_repr
from keras_fm.registry.metrics import METRICS

if TYPE_CHECKING:
    from keras_fm.registry.entry import Entry, Weights

_MAX_LABELS = 20


def to_text(entry: "Entry") -> str:
    """Return an entry in a few lines."""
    labels = [f"{len(entry.labels)} labels"] * bool(entry.labels)
    inputs = [f"{item.name} {item.dtype}" for item in entry.inputs]
    lines = [
        f"{entry.name}: {entry.title}",
        ", ".join([entry.task, entry.dataset, *labels]),
        f"inputs: {', '.join(inputs)}",
        *(f"weights {tag}: {_claims(record)}" for tag, record in entry.weights.items()),
    ]
    return format_repr(lines)


def to_html(entry: "Entry") -> str:
    """Return an entry as a table."""
    more = [f"... {len(entry.labels) - _MAX_LABELS} more"] * (len(entry.labels) > _MAX_LABELS)
    values = [("task", entry.task), ("data", entry.dataset)]
    values += [
        (f"input {item.name}", f"{item.dtype} {item.shape}, {item.description}")
        for item in entry.inputs
    ]
    values += [("labels", ", ".join([*entry.labels[:_MAX_LABELS], *more]))]
    values += [(f"weights {tag}", _claims(record)) for tag, record in entry.weights.items()]
    return notebook.facts(f"{entry.name}: {entry.title}. {entry.summary}", values)


def _claims(record: "Weights") -> str:
    claims = [
        f"{METRICS[name].title} {METRICS[name].format(value)}"
        for name, value in record.metrics.items()
    ]
    return "; ".join([f"{record.num_parameters:,} parameters", *claims])
