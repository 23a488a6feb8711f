"""What `drift` returns."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_fm import notebook
from keras_fm.drift_detection.arguments import check_report_path
from keras_fm.drift_detection.page import HEADER, READING, to_html
from keras_fm.drift_detection.statistics import LARGE, MODERATE
from keras_fm.errors import InvalidInputError
from keras_fm.files import atomic_write
from keras_fm.formatting import format_count, format_names, format_repr, format_table, format_value


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature moved.

    Attributes:
        name: A column, something measured of the inputs, or of the predictions.
        role: `"input"` or `"output"`.
        kind: `"numbers"`, `"categories"` or `"vectors"`.
        psi: The population stability index; of vectors the mean squared shift of their means in
            standard deviations, which reads the same.
        noise: What the PSI exceeds by chance alone in 1 % of reports; None where there are too few
            values for any.
        ks: Of numbers, the Kolmogorov-Smirnov statistic.
        p_value: Of numbers that of KS; of categories, and of numbers some of which are missing,
            that of a chi-square test of the bins; of vectors a bound.
        reference: The mean of numbers, or the share of the category that moved most.
        requests: The same of the requests.
        change: In words.
        bins: The names of the bins of the PSI.
        reference_counts: The values in each bin.
        request_counts: The same of the requests.
    """

    name: str
    role: str
    kind: str
    psi: float
    noise: float | None
    ks: float | None
    p_value: float
    reference: float | None
    requests: float | None
    change: str
    bins: tuple[str, ...] = ()
    reference_counts: tuple[int, ...] = ()
    request_counts: tuple[int, ...] = ()

    @property
    def is_noise(self) -> bool:
        """Whether chance alone can explain the PSI."""
        return self.noise is None or self.psi <= self.noise

    @property
    def verdict(self) -> str:
        """How far it moved: none, moderate, large; or that there are too few requests to tell."""
        if self.noise is None:
            return "too few"
        if self.psi < MODERATE:
            return "none"
        if self.is_noise:
            return "too few"
        return "large" if self.psi > LARGE else "moderate"


@dataclass(frozen=True)
class DriftReport:
    """What moved between training inputs and requests.

    Attributes:
        export: The version of the export.
        source: What the training inputs are.
        num_reference: How many of them there are.
        num_requests: How many requests were measured.
        features: What moved most first.
        requests_needed: How many requests show a moderate shift of each feature; None where no
            number does with so few training inputs.
        notes: Sentences on what was left out.
    """

    export: str
    source: str
    num_reference: int
    num_requests: int
    features: tuple[FeatureDrift, ...]
    requests_needed: int | None
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[FeatureDrift, ...]:
        """The features that moved moderately or largely."""
        return self.above(MODERATE)

    def above(self, level: float) -> tuple[FeatureDrift, ...]:
        """Return the features whose PSI is above a level, and above the noise."""
        return tuple(x for x in self.features if x.psi > level and not x.is_noise)

    @property
    def summary(self) -> str:
        """What moved, in a sentence."""
        if self.moved:
            names = [f"{x.name} ({x.verdict}, PSI {_number(x.psi)})" for x in self.moved]
            return f"{format_count(len(names), 'feature')} moved: {format_names(names, 5)}"
        uncertain = [x for x in self.features if x.verdict == "too few"]
        if uncertain:
            words = format_names([x.name for x in uncertain])
            return f"too few requests to tell whether {words} moved: {self._needed}"
        if self._is_blind:
            return f"nothing moved by more than chance alone explains; {self._needed}"
        return "nothing moved"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain dicts and lists."""
        features = [{**asdict(x), "verdict": x.verdict} for x in self.features]
        report = {**asdict(self), "features": features, "summary": self.summary}
        return json.loads(json.dumps(report))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs no other file (`.html`), or `to_dict` (`.json`).

        Raises:
            InvalidInputError: The path has another suffix.
        """
        file = check_report_path(path)
        is_page = file.suffix.lower() == ".html"
        text = to_html(self) if is_page else json.dumps(self.to_dict(), indent=2) + "\n"
        if not file.parent.is_dir():
            raise InvalidInputError(f"there is no folder {file.parent} for the report")
        with atomic_write(file) as stream:
            stream.write(text)
        return file

    def __str__(self) -> str:
        """Return a table."""
        lines = [self.title, "", format_table([HEADER, *self.rows]), "", READING, *self.notes]
        return "\n".join([*lines, self.summary])

    def __repr__(self) -> str:
        """Return the same."""
        return format_repr(str(self).splitlines())

    def _repr_html_(self) -> str:
        rows = [[notebook.escape(cell) for cell in row] for row in self.rows]
        ends = [notebook.escape(text) for text in (*self.notes, self.summary)]
        title = f"<p><b>{notebook.escape(self.title)}</b></p>"
        return title + notebook.table(rows, HEADER) + "".join(f"<p>{text}</p>" for text in ends)

    @property
    def title(self) -> str:
        """What was compared."""
        return (
            f"{format_count(self.num_requests, 'request')} to {self.export} against "
            f"{format_count(self.num_reference, 'training input')} ({self.source})"
        )

    @property
    def rows(self) -> list[Sequence[str]]:
        """A row of cells for each feature."""
        return [
            (
                x.name,
                x.role,
                _number(x.psi),
                "" if x.noise is None else _number(x.noise),
                x.verdict,
                "" if x.ks is None else _number(x.ks),
                f"{x.p_value:.2g}",
                x.change,
            )
            for x in self.features
        ]

    @property
    def _is_blind(self) -> bool:
        return any(x.noise is None or x.noise > LARGE for x in self.features)

    @property
    def _needed(self) -> str:
        if self.requests_needed is None:
            return (
                f"{format_count(self.num_reference, 'training input')} are too few to show a "
                f"PSI of {MODERATE}, whatever the number of requests"
            )
        return f"a PSI of {MODERATE} takes about {self.requests_needed:,} requests to show"


def _number(value: float) -> str:
    return format_value(value, ".3f", 0.0)
