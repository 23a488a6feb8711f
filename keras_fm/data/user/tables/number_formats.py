"""Numbers as people write them, such as "0,5", "1,234" and "$4.50": not parsed in silence."""

import re
from collections.abc import Sequence

_MAX_EXAMPLES = 1000  # words that are looked at
_MIN_SHARE = 0.5  # of the words are such numbers, and of the cells such or plain numbers

_SPACE = r" \u00a0\u202f"
_DIGITS = rf"[.,]?\d[\d.,'’{_SPACE}]*"
_SIGN = r"[+-]?\s*"
_CURRENCY = r"(?:[$€£¥₹₽₩₺₫¢]|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|Kč|zł|kr\.?|Fr\.?)"
# A comma with three digits behind it may separate thousands, but in 0,123 and 1234,567.
_DECIMALS = r"0?,\d+|\d+,(?:\d{1,2}|\d{4,})|\d{4,},\d+"
_GROUPS = rf"(?:(?:,\d{{3}})+|(?:['’{_SPACE}]\d{{3}})+|(?:\.\d{{3}}){{2,}})"
# What the numbers have, how it looks, and what reads or converts them.
_FORMATS = (
    (
        "percent signs",
        rf"{_SIGN}{_DIGITS}\s*[%‰]",
        "Series.str.rstrip('% ').astype(float) converts them",
    ),
    (
        "currency signs",
        rf"{_SIGN}{_CURRENCY}\s*{_SIGN}{_DIGITS}|{_SIGN}{_DIGITS}\s*{_CURRENCY}",
        "Series.str.replace(r'[^0-9.-]', '', regex=True).astype(float) converts them",
    ),
    (
        "decimal commas",
        rf"{_SIGN}(?:\d{{1,3}}(?:[.'’{_SPACE}]\d{{3}})+,\d+|{_DECIMALS})",
        "pandas.read_csv(..., decimal=',') reads them",
    ),
    (
        "thousands separators",
        rf"{_SIGN}\d{{1,3}}{_GROUPS}(?:\.\d+)?",
        "pandas.read_csv(..., thousands=',') reads them",
    ),
    (
        "other minus signs than '-'",
        rf"[−–—]\s*{_DIGITS}|\({_DIGITS}\)|{_DIGITS}-",
        "Series.str.replace converts them",
    ),
)
_PATTERNS = [(name, re.compile(pattern), advice) for name, pattern, advice in _FORMATS]
_WITH_UNIT = re.compile(rf"{_SIGN}\d+(?:\.\d+)?\s*([^\W\d_]{{1,4}}|°[CF]?)")


def describe(words: Sequence[str], numbers_share: float) -> str:
    """Say how the numbers of a column are written, and what to do; "" where they are words.

    Args:
        words: The different cells that are no numbers, the most common first.
        numbers_share: The share of cells that are plain numbers.
    """
    sample = [*words[:_MAX_EXAMPLES]]
    matches = {
        name: [word for word in sample if pattern.fullmatch(word)] for name, pattern, _ in _PATTERNS
    }
    num_written = sum(any(p.fullmatch(word) for _, p, _ in _PATTERNS) for word in sample)
    share = num_written / len(sample)
    if share >= _MIN_SHARE and numbers_share + (1 - numbers_share) * share >= _MIN_SHARE:
        name = max(matches, key=lambda name: len(matches[name]))
        if name == "thousands separators" and matches["decimal commas"]:
            name = "decimal commas"  # 1,234 beside 0,5
        advice = next(advice for known, _, advice in _PATTERNS if known == name)
        return f"the numbers have {name}, such as {matches[name][0]!r}; {advice}"
    units = {match[1] for word in sample if (match := _WITH_UNIT.fullmatch(word))}
    num_with_unit = sum(_WITH_UNIT.fullmatch(word) is not None for word in sample)
    if len(units) == 1 and num_with_unit >= max(2, _MIN_SHARE * len(sample)):
        return (
            f"the numbers have a unit, such as {sample[0]!r}; "
            f"Series.str.removesuffix({units.pop()!r}).astype(float) converts them"
        )
    return ""
