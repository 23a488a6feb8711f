"""Statistics of drift: population stability index, Kolmogorov-Smirnov, chi-square, mean shift.

The usual reading of the population stability index (PSI): below 0.1 nothing moved, to 0.25
moderately, above it largely (Siddiqi 2006, "Credit Risk Scorecards"). Where nothing moved, the PSI
of n requests and N examples over B bins is about (1/n + 1/N) times a chi-square of B - 1 degrees of
freedom (Yurdakul and Naranjo 2020, "Statistical properties of the population stability index").
What that exceeds with a probability of `FALSE_ALARMS` in a whole report is noise.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from keras_fm.sketches.histograms import (
    MISSING,
    OTHERS,
    Categories,
    Histogram,
    Numbers,
    Vectors,
)

MODERATE, LARGE = 0.1, 0.25
FALSE_ALARMS = 0.01  # the probability that a report in which nothing moved has any
_NUM_BINS = 10
_MIN_EXPECTED = 5  # in a bin, of the smaller side: below it a chi-square says nothing
_RARE = "(rare)"  # categories together
_MANY = 100  # values, of which a single bin holds all but some hundredths
_SMOOTHING = 0.5  # of counts: a bin that is empty on one side would have no logarithm


@dataclass(frozen=True)
class Bins:
    """Counts of both sides in bins that are full enough to compare.

    Attributes:
        names: Of the bins.
        reference: Counts.
        requests: Counts.
    """

    names: list[str]
    reference: np.ndarray
    requests: np.ndarray


def psi(reference: np.ndarray, requests: np.ndarray) -> float:
    """Return the population stability index of two histograms with the same bins."""
    shares, request_shares = (
        (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * len(counts))
        for counts in (np.asarray(reference, "float64"), np.asarray(requests, "float64"))
    )
    return float(((request_shares - shares) * np.log(request_shares / shares)).sum())


def psi_noise(num_bins: int, num_reference: int, num_requests: int, probability: float) -> float:
    """Return the PSI that is exceeded with a probability where nothing moved."""
    quantile = stats.chi2.isf(probability, num_bins - 1)
    return float(quantile * (1 / num_reference + 1 / num_requests))


def requests_needed(num_bins: int, num_reference: int, probability: float, level: float) -> int:
    """Return how many requests show a PSI of a level; 0 where no number does."""
    room = level / stats.chi2.isf(probability, num_bins - 1) - 1 / num_reference
    return int(np.ceil(1 / room)) if room > 0 else 0


def comparable_bins(reference: Histogram, requests: Histogram) -> Bins:
    """Return the counts of two histograms of the same feature, rare bins merged."""
    if isinstance(reference, Numbers) and isinstance(requests, Numbers):
        return _number_bins(reference, requests)
    assert isinstance(reference, Categories)
    assert isinstance(requests, Categories)
    return _category_bins(reference, requests)


def is_same_constant(reference: Histogram, requests: Histogram) -> bool:
    """Return whether both sides are the same value, but for what would fill no bin of its own."""
    if min(reference.num_values, requests.num_values) >= _MANY:
        return True
    if isinstance(reference, Categories) and isinstance(requests, Categories):
        pooled = [count + requests.counts[name] for name, count in reference.counts.items()]
        pooled += [reference.others + requests.others, reference.missing + requests.missing]
        return sum(map(bool, pooled)) == 1 and not requests.others
    is_missing = isinstance(reference, Numbers) and reference.missing == reference.num_values
    return is_missing and requests.missing == requests.num_values  # type: ignore[union-attr]


def ks_test(reference: Numbers, requests: Numbers) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov statistic and its p-value.

    The distance is taken at the sketch's cuts, so it is never too large, nor p too small.
    """
    counts = [np.asarray(side.counts, "float64") for side in (reference, requests)]
    totals = [side.sum() for side in counts]
    if not all(totals):
        return 0.0, 1.0
    shares = [side.cumsum() / total for side, total in zip(counts, totals, strict=True)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    effective = max(1, round(totals[0] * totals[1] / (totals[0] + totals[1])))
    return distance, float(stats.kstwo.sf(distance, effective)) if distance else 1.0


def chi_square_test(bins: Bins) -> tuple[float, float]:
    """Return the chi-square statistic of both sides having the same shares, and its p-value."""
    if len(bins.names) < 2:
        return 0.0, 1.0
    result = stats.chi2_contingency(np.stack([bins.reference, bins.requests]), correction=False)
    return float(result.statistic), float(result.pvalue)


def mean_shift(reference: Vectors, requests: Vectors) -> float:
    """Return the mean over dimensions of the squared shift of the mean, in standard deviations.

    It reads as a PSI: that of a normal distribution whose mean moves by d deviations is d².
    """
    sides = (np.asarray(reference.mean), np.asarray(requests.mean))
    variance = (np.asarray(reference.variance) + np.asarray(requests.variance)) / 2
    moves = variance > 0
    shifts = np.zeros(len(variance))
    shifts[moves] = (sides[1] - sides[0])[moves] ** 2 / variance[moves]
    return float(shifts.mean()) if len(shifts) else 0.0


def mean_shift_noise(num_reference: int, num_requests: int, probability: float) -> float:
    """Return the mean shift that is exceeded with at most a probability where nothing moved.

    However the dimensions are correlated, their mean exceeds no more often than a single one
    (Székely and Bakirov 2003, "Extremal probabilities for Gaussian quadratic forms").
    """
    return psi_noise(2, num_reference, num_requests, probability)


def mean_shift_p_value(shift: float, num_reference: int, num_requests: int) -> float:
    """Return a bound of the p-value of a mean shift; see `mean_shift_noise`."""
    return float(stats.chi2.sf(shift / (1 / num_reference + 1 / num_requests), 1))


def _number_bins(reference: Numbers, requests: Numbers) -> Bins:
    """Merge neighboring bins to about deciles of the reference, and add one of missing numbers."""
    pairs = np.stack([reference.counts, requests.counts], axis=1)
    totals = (reference.num_values, requests.num_values)
    decile = sum(reference.counts) / _NUM_BINS
    groups: list[list[int]] = [[]]
    filled = np.zeros(2, "int64")
    for index, pair in enumerate(pairs):
        # A frequent value stays alone.
        is_closed = filled[0] >= decile or (filled.any() and pair[0] >= decile)
        if is_closed and _is_full(filled, totals):
            groups.append([])
            filled = np.zeros(2, "int64")
        groups[-1].append(index)
        filled += pair
    if len(groups) > 1 and not _is_full(filled, totals):
        last = groups.pop()
        groups[-1] += last
    counts = [pairs[group].sum(0) for group in groups]
    names = [_range_name(reference, group) for group in groups]
    missing = np.array([reference.missing, requests.missing])
    if _is_full(missing, totals):
        names.append(MISSING)
        counts.append(missing)
    return Bins(names, *np.stack(counts, axis=1))


def _is_full(pair: np.ndarray, totals: tuple[int, int]) -> bool:
    """Return whether a bin is full enough on the smaller side, expected or counted."""
    if not all(totals):
        return False
    smaller = int(np.argmin(totals))
    expected = pair.sum() * totals[smaller] / sum(totals)
    # Of what is new among the requests next to nothing is expected.
    return bool(expected >= _MIN_EXPECTED or pair[smaller] >= 2 * _MIN_EXPECTED)


def _category_bins(reference: Categories, requests: Categories) -> Bins:
    """Merge rare categories into the others."""
    totals = (reference.num_values, requests.num_values)
    pairs = {
        name: np.array([count, requests.counts[name]]) for name, count in reference.counts.items()
    }
    pairs[MISSING] = np.array([reference.missing, requests.missing])
    full = {name: pair for name, pair in pairs.items() if _is_full(pair, totals)}
    nothing = np.zeros(2, "int64")
    rare = sum((pair for name, pair in pairs.items() if name not in full), nothing)
    others = np.array([reference.others, requests.others])
    # Those that the sketch does not name stay apart: they may be new.
    if _is_full(rare, totals) and _is_full(others, totals):
        full |= {_RARE: rare, OTHERS: others}
    else:
        rest = rare + others
        if full and rest.any() and not _is_full(rest, totals):
            rest = rest + full.pop(min(full, key=lambda name: full[name].sum()))
        if rest.any() or not full:
            full[OTHERS if others.any() else _RARE] = rest
    return Bins([*full], *np.stack([*full.values()], axis=1))


def format_number(value: float | None, histogram: Numbers) -> str:
    """Write a number of a feature, or its date."""
    if value is None:
        return "none"
    if histogram.is_date:
        return str(np.datetime64(round(value), "s").astype("datetime64[m]"))
    return f"{value:.4g}"


def _range_name(histogram: Numbers, group: list[int]) -> str:
    first, last = group[0], group[-1]
    low = format_number(histogram.cuts[first - 1], histogram) if first else None
    high = format_number(histogram.cuts[last], histogram) if last < len(histogram.cuts) else None
    if low is None:
        return "any" if high is None else f"to {high}"
    return f"above {low}" if high is None else f"{low} to {high}"
