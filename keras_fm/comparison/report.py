"""What `compare` returns: two metrics, their difference, and what changes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from keras_fm import notebook
from keras_fm.evaluation.intervals import CONFIDENCE, FEW_EXAMPLES
from keras_fm.formatting import format_count, format_repr, format_table, format_value

Table = tuple[str, Sequence[Sequence[str]]]  # a title, and rows of which the first is the header


@dataclass(frozen=True)
class Flips:
    """The examples that one classifier gets right and the other one wrong.

    Attributes:
        only_a: How many A alone gets right.
        only_b: How many B alone gets right.
        both: How many both get right.
        neither: How many both get wrong.
        p_value: Of McNemar's exact test: how probable a difference as large as that of `only_a`
            and `only_b` is, were both classifiers right equally often.
        examples: The first ones: `example` (its name or position), `label`, and the predictions
            `a` and `b`.
    """

    only_a: int
    only_b: int
    both: int
    neither: int
    p_value: float
    examples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class ComparisonReport:
    """Two models on the same examples.

    Attributes:
        a: The name of the first one.
        b: That of the second one.
        data: What the examples are.
        num_examples: How many there are.
        metric: The metric that is compared, the first one of the task.
        metrics: By metric its values `[a, b]`, of all metrics of the outputs.
        difference: Of the metric, B minus A.
        interval: The 95 % interval of the difference, by 1,000 paired bootstrap resamples of the
            examples; None of a single example.
        is_error: Whether a lower value of the metric is better.
        flips: Of classifiers.
        slices: By what is sliced by, and by slice, that where B does worst against A first: the
            metric's values `a` and `b`, `difference`, `interval` and `num_examples`.
    """

    a: str
    b: str
    data: str
    num_examples: int
    metric: str
    metrics: Mapping[str, Sequence[float]]
    difference: float
    interval: Sequence[float] | None
    is_error: bool
    flips: Flips | None = None
    slices: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def is_better(self) -> bool:
        """Whether B is better than A: 0 is outside the interval, and McNemar's p below 0.05."""
        return self._is_significant and (self.difference > 0) != self.is_error

    @property
    def is_worse(self) -> bool:
        """Whether B is worse than A, in the same sense."""
        return self._is_significant and (self.difference > 0) == self.is_error

    @property
    def verdict(self) -> str:
        """Whether B is better, in a sentence."""
        if not self._is_significant:
            return (
                f"B is neither better nor worse than A, as far as "
                f"{format_count(self.num_examples, 'example')} can tell"
            )
        word = "better" if self.is_better else "worse"
        few = self.num_examples < FEW_EXAMPLES
        return f"B is {word} than A{f'; fewer than {FEW_EXAMPLES} examples say little' * few}"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain dicts and lists."""
        report = {**asdict(self), "is_better": self.is_better, "is_worse": self.is_worse}
        if self.flips is not None:
            report["flips"] = {**report["flips"], "examples": list(report["flips"]["examples"])}
        return report

    def __str__(self) -> str:
        """Return tables."""
        blocks = [self._title]
        for title, rows in self._tables:
            blocks.append("\n".join([*([title] if title else []), format_table(rows)]))
        if any(cell.endswith(" *") for _, rows in self._slice_tables for *_, cell in rows):
            blocks.append(f"fewer than {FEW_EXAMPLES} examples (*) say little")
        return "\n\n".join([*blocks, self.verdict])

    def __repr__(self) -> str:
        """Return the same."""
        return format_repr(str(self).splitlines())

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{notebook.escape(self._title)}</b></p>"]
        for title, (header, *rows) in self._tables:
            cells = [[notebook.escape(cell) for cell in row] for row in rows]
            parts.append(f"<p>{notebook.escape(title)}</p>{notebook.table(cells, header)}")
        return "".join([*parts, f"<p>{notebook.escape(self.verdict)}</p>"])

    @property
    def _is_significant(self) -> bool:
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return False
        return self.flips is None or self.flips.p_value < 1 - CONFIDENCE

    @property
    def _title(self) -> str:
        return f"{self.b} (B) against {self.a} (A), on {self.data}"

    @property
    def _tables(self) -> list[Table]:
        return [self._metrics_table, *self._flip_tables, *self._slice_tables]

    @property
    def _metrics_table(self) -> Table:
        rows = [("", "A", "B", "B - A", "95 % interval")]
        for name, (a, b) in self.metrics.items():
            interval = format_interval(self.interval) if name == self.metric else ""
            rows.append((name, _number(a), _number(b), _signed(b - a), interval))
        return "", rows

    @property
    def _flip_tables(self) -> list[Table]:
        flips = self.flips
        if flips is None:
            return []
        counts = [
            ("right", "examples"),
            ("both", f"{flips.both:,}"),
            ("A alone", f"{flips.only_a:,}"),
            ("B alone", f"{flips.only_b:,}"),
            ("neither", f"{flips.neither:,}"),
            ("McNemar's test, p", f"{flips.p_value:.3g}"),
        ]
        tables: list[Table] = [("", counts)]
        if flips.examples:
            header = ("example", "class", "A", "B")
            rows = [tuple(map(str, example.values())) for example in flips.examples]
            total = flips.only_a + flips.only_b
            more = f", {len(rows)} of {total:,}" if total > len(rows) else ""
            tables.append((f"examples that flip{more}", [header, *rows]))
        return tables

    @property
    def _slice_tables(self) -> list[Table]:
        tables: list[Table] = []
        for slice_by, by_name in self.slices.items():
            rows = [(slice_by, "A", "B", "B - A", "95 % interval", "examples")]
            for name, slice_ in by_name.items():
                values = _number(slice_["a"]), _number(slice_["b"]), _signed(slice_["difference"])
                interval = format_interval(slice_["interval"])
                count = slice_["num_examples"]
                mark = " *" * (count < FEW_EXAMPLES)
                rows.append((name, *values, interval, f"{count:,}{mark}"))
            tables.append((f"{self.metric} by {slice_by}", rows))
        return tables


def describe_difference(report: ComparisonReport) -> str:
    """Return the metric of both and the interval of the difference, in words."""
    a, b = report.metrics[report.metric]
    return (
        f"{report.metric} {_number(b)} against {_number(a)}, a difference of "
        f"{_signed(report.difference)} (95 % interval {format_interval(report.interval)}) on "
        f"{format_count(report.num_examples, 'example')}, {report.data}"
    )


def format_interval(interval: Sequence[float] | None) -> str:
    """Write the interval of a difference."""
    return "none" if interval is None else " to ".join(map(_signed, interval))


def _number(value: float) -> str:
    return format_value(value, ",.4f", 1e-3)


def _signed(value: float) -> str:
    return format_value(value, "+,.4f", 1e-3) if value else "0"
