"""What a sketch has of one feature: a histogram, or the mean of a vector. Filled batch by batch.

`of` chooses the bins by the values of a reference, `empty` has the same bins for other values. The
memory does not grow with the number of values.
"""

from collections import Counter
from typing import Any

import numpy as np
from msgspec import Struct

MISSING, OTHERS = "(missing)", "(others)"
MAX_BINS = 100  # of numbers, by quantiles of the reference
MAX_CATEGORIES = 50
MAX_NAME = 100  # characters of a category; a longer one is a text
_MAX_DISTINCT = 10  # numbers that are categories, where each occurs that often
_DIGITS = 7  # of means and variances in the file


class Numbers(Struct, tag="numbers", tag_field="kind"):
    """Histogram of a number.

    Attributes:
        cuts: The upper end of each bin but the last, which has none.
        counts: Of the values in each bin, one more than cuts.
        missing: How many values were missing.
        total: The sum of the others.
        low: The least of them; None where there is none.
        high: The greatest of them.
        is_date: Whether they are seconds since 1970.
    """

    cuts: list[float]
    counts: list[int]
    missing: int = 0
    total: float = 0.0
    low: float | None = None
    high: float | None = None
    is_date: bool = False

    @classmethod
    def of(cls, values: np.ndarray, max_bins: int, *, is_date: bool = False) -> "Numbers":
        """Return the histogram of numbers `[examples]`, NaN where one is missing."""
        present = values[~np.isnan(values)].astype("float64")
        cuts: list[float] = []
        if len(present):
            shares = np.arange(1, max_bins) / max_bins
            quantiles = np.unique(np.quantile(present, shares, method="inverted_cdf"))
            cuts = quantiles[quantiles < present.max()].tolist()
        histogram = cls(cuts, [0] * (len(cuts) + 1), is_date=is_date)
        histogram.add(values)
        return histogram

    def empty(self) -> "Numbers":
        """Return a histogram of no values with the same bins."""
        return Numbers(self.cuts, [0] * len(self.counts), is_date=self.is_date)

    def add(self, values: np.ndarray) -> None:
        """Count numbers `[examples]`, NaN where one is missing."""
        present = values[~np.isnan(values)].astype("float64")
        self.missing += len(values) - len(present)
        if not len(present):
            return
        bins = np.searchsorted(self.cuts, present, side="left")
        counts = np.bincount(bins, minlength=len(self.counts))
        self.counts = (np.asarray(self.counts) + counts).tolist()
        self.total += float(present.sum())
        self.low = min(present.min().item(), np.inf if self.low is None else self.low)
        self.high = max(present.max().item(), -np.inf if self.high is None else self.high)

    @property
    def num_values(self) -> int:
        """How many values there are, missing ones too."""
        return sum(self.counts) + self.missing

    @property
    def mean(self) -> float | None:
        """The mean of those that are not missing; None where there is none."""
        return self.total / sum(self.counts) if any(self.counts) else None


class Categories(Struct, tag="categories", tag_field="kind"):
    """Counts of categories.

    Attributes:
        counts: Of the most frequent ones by name, in descending order.
        others: Of all others.
        missing: How many values were missing.
    """

    counts: dict[str, int]
    others: int = 0
    missing: int = 0

    @classmethod
    def of(cls, values: np.ndarray, max_categories: int) -> "Categories":
        """Return the counts of strings or numbers `[examples]`, "" or NaN where one is missing."""
        names = Counter(_to_names(values)).most_common()
        frequent = [name for name, _ in names if 0 < len(name) <= MAX_NAME][:max_categories]
        histogram = cls(dict.fromkeys(frequent, 0))
        histogram.add(values)
        return histogram

    def empty(self) -> "Categories":
        """Return the same categories with no counts."""
        return Categories(dict.fromkeys(self.counts, 0))

    def add(self, values: np.ndarray) -> None:
        """Count strings or numbers `[examples]`, "" or NaN where one is missing."""
        for name, count in Counter(_to_names(values)).items():
            if not name:
                self.missing += count
            elif name in self.counts:
                self.counts[name] += count
            else:
                self.others += count

    @property
    def num_values(self) -> int:
        """How many values there are, missing ones too."""
        return sum(self.counts.values()) + self.others + self.missing


class Vectors(Struct, tag="vectors", tag_field="kind"):
    """Mean and variance of each dimension of a vector.

    Attributes:
        mean: By dimension.
        variance: By dimension.
        num_values: How many vectors there are.
    """

    mean: list[float]
    variance: list[float]
    num_values: int = 0

    @classmethod
    def of(cls, values: np.ndarray) -> "Vectors":
        """Return those of vectors `[examples, width]`."""
        statistics = cls([0.0] * values.shape[1], [0.0] * values.shape[1])
        statistics.add(values)
        return statistics

    def empty(self) -> "Vectors":
        """Return those of no vectors of the same width."""
        return Vectors([0.0] * len(self.mean), [0.0] * len(self.mean))

    def add(self, values: np.ndarray) -> None:
        """Add vectors `[examples, width]`; Chan et al. 1979 combine the variances."""
        count, total = len(values), self.num_values + len(values)
        if not count:
            return
        values = values.astype("float64")
        mean, old_mean = values.mean(0), np.asarray(self.mean)
        delta = mean - old_mean
        squares = np.asarray(self.variance) * self.num_values + values.var(0) * count
        squares += delta**2 * self.num_values * count / total
        self.mean = (old_mean + delta * count / total).tolist()
        self.variance = (squares / total).tolist()
        self.num_values = total

    def rounded(self) -> "Vectors":
        """Return the same with as many digits as a file needs."""
        mean, variance = (
            [float(f"{value:.{_DIGITS}g}") for value in values]
            for values in (self.mean, self.variance)
        )
        return Vectors(mean, variance, self.num_values)


Histogram = Numbers | Categories | Vectors


def histogram_of(values: np.ndarray, max_bins: int, max_categories: int) -> Histogram:
    """Return the histogram of what was measured of some examples.

    Args:
        values: Numbers, dates, or strings `[examples]`, or vectors `[examples, width]`. Numbers of
            which few are different are categories.
        max_bins: Of numbers.
        max_categories: Of strings.
    """
    if values.ndim == 2:
        return Vectors.of(values)
    if values.dtype.kind in "OUSb":
        return Categories.of(values, max_categories)
    numbers = to_numbers(values)
    present = numbers[~np.isnan(numbers)]
    num_distinct = len(np.unique(present))
    is_date = values.dtype.kind in "mM"
    if not is_date and 0 < num_distinct <= min(_MAX_DISTINCT, len(present) // _MAX_DISTINCT):
        return Categories.of(numbers, max_categories)
    return Numbers.of(numbers, max_bins, is_date=values.dtype.kind == "M")


def add_values(histogram: Any, values: np.ndarray) -> None:
    """Count further values in a histogram of the same feature."""
    histogram.add(to_numbers(values) if values.dtype.kind in "mM" else values)


def to_numbers(values: np.ndarray) -> np.ndarray:
    """Return numbers as they are, and dates and times as seconds, NaN where one is missing."""
    if values.dtype.kind not in "mM":
        return values
    seconds = values.astype(f"{values.dtype.kind}8[s]")
    return np.where(np.isnat(seconds), np.nan, seconds.astype("int64"))


def _to_names(values: np.ndarray) -> list[str]:
    if values.dtype.kind in "fiu":
        return ["" if np.isnan(value) else f"{value:.7g}" for value in values.tolist()]
    return [
        (value.decode("utf-8", "replace") if isinstance(value, bytes) else f"{value}").strip()
        for value in values.tolist()
    ]
