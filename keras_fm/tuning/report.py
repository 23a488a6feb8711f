"""What `tune` returns: the trials of a search, the best ones first."""

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from keras_fm import notebook
from keras_fm.formatting import choose_form, format_count, format_repr, format_table
from keras_fm.registry.metrics import METRICS

MAX_SHOWN = 10  # trials in the table
_DIGITS = ".4g"  # of a value in the table


@dataclass(frozen=True)
class TrialResult:
    """A trial.

    Attributes:
        number: From 0 in the order in which they began.
        state: `"complete"`, `"pruned"`, `"failed"`, `"cut short"` (its process was stopped) or
            `"running"`, in another process.
        value: Of the metric, on the validation examples; None where there is none.
        values: Of the recipe fields.
        minutes: Of its training.
        path: The run directory.
        problem: Why it failed, or was pruned.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Any]
    minutes: float
    path: Path
    problem: str = ""


@dataclass(frozen=True)
class TuningReport:
    """A search for the best values of recipe fields.

    Attributes:
        path: Its directory.
        model: The model's name.
        metric: By what trials are compared, on the validation examples.
        greater_is_better: Of the metric.
        trials: All that have begun: the complete ones from the best on, then the others.
        num_trials: How many there are to be in the end.
        recipe: The file with the recipe of the best trial; None where none is complete.
        command: The command that trains with it.
    """

    path: Path
    model: str
    metric: str
    greater_is_better: bool
    trials: tuple[TrialResult, ...]
    num_trials: int
    recipe: Path | None = None
    command: tuple[str, ...] = field(default=())

    @property
    def best(self) -> TrialResult | None:
        """The complete trial with the best metric."""
        return next((trial for trial in self.trials if trial.state == "complete"), None)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of the best trials: rank, trial, metric, values, minutes."""
        complete = [trial for trial in self.trials if trial.state == "complete"][:MAX_SHOWN]
        names = [*dict.fromkeys(name for trial in complete for name in trial.values)]
        rows = [("rank", "trial", self.metric, *names, "minutes")]
        rows += [
            (
                str(rank),
                f"{trial.number:04}",
                format_metric(self.metric, trial.value),
                *(format_setting(trial.values.get(name, "")) for name in names),
                f"{trial.minutes:.1f}",
            )
            for rank, trial in enumerate(complete, 1)
        ]
        return rows

    def summary(self) -> str:
        """Return how many trials there are, and what became of them."""
        counts = Counter(trial.state for trial in self.trials)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        order = "highest" if self.greater_is_better else "lowest"
        trials = format_count(len(self.trials), "trial")
        return f"{self.model}: {trials} ({states}), the {order} {self.metric} first"

    def notes(self) -> list[str]:
        """Return what failed, and what is to do where trials are left."""
        failed = [trial for trial in self.trials if trial.state == "failed"]
        lines = [f"trial {trial.number:04} failed: {trial.problem}" for trial in failed]
        running = sum(trial.state == "running" for trial in self.trials)
        if running:
            verb = choose_form(running, "is", "are")
            lines.append(f"{format_count(running, 'trial')} {verb} running in another process")
        return lines

    def next_steps(self) -> list[str]:
        """Return the commands for the best trial, and for all of them."""
        lines = []
        if self.recipe is not None:
            lines += [f"recipe of the best trial: {self.recipe}", shlex.join(self.command)]
        return [*lines, shlex.join(["keras-fm", "tensorboard", str(self.path)])]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "path": str(self.path),
            "model": self.model,
            "metric": self.metric,
            "greater_is_better": self.greater_is_better,
            "num_trials": self.num_trials,
            "best": None if self.best is None else self.best.number,
            "recipe": None if self.recipe is None else str(self.recipe),
            "command": list(self.command),
            "trials": [{**asdict(trial), "path": str(trial.path)} for trial in self.trials],
        }

    def __str__(self) -> str:
        """Return the table of the best trials, and what to do next."""
        table = [format_table(self.rows())] if self.best is not None else []
        return "\n".join([self.summary(), *table, *self.notes(), *self.next_steps()])

    def __repr__(self) -> str:
        """Return the summary and the table."""
        table = format_table(self.rows()).splitlines() if self.best is not None else []
        return format_repr([self.summary(), *table])

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        header, *rows = self.rows()
        cells = [[notebook.escape(cell) for cell in row] for row in rows]
        title = f"<p><b>{notebook.escape(self.summary())}</b></p>"
        return title + notebook.table(cells, header)


def format_metric(metric: str, value: float | None) -> str:
    """Return a metric's value: a proportion as other tables show it, else its first five digits.

    Trials are often closer to each other than the two digits that a table of models shows.
    """
    if value is None:
        return ""
    known = METRICS.get(metric)
    return known.format(value) if known is not None and known.is_proportion else f"{value:.5g}"


def format_setting(value: Any) -> str:
    """Return the value of a recipe field, of a number the first four digits."""
    return format(value, _DIGITS) if isinstance(value, float) else str(value)
