"""Numbers and tables as text, for the terminal and for reports."""

from collections.abc import Callable, Sequence

_LARGEST = 1e15  # of numbers that are written in full


def format_value(value: float, spec: str = ",.2f", smallest: float = 0.1) -> str:
    """Return a number by a format, or its first four digits where it is smaller, or very large.

    Args:
        value: The number.
        spec: The format, with a fixed number of digits.
        smallest: The smallest absolute value, but for 0, of which the format shows enough.
    """
    is_usual = value == 0 or smallest <= abs(value) < _LARGEST
    return format(value, spec if is_usual else ".4g")


def format_repr(lines: Sequence[str]) -> str:
    """Return lines in the form of a `repr`, which is no expression of Python."""
    return f"<{chr(10).join(lines)}>".replace("\n", "\n ")


def format_table(
    rows: Sequence[Sequence[str]], justify: Callable[[str, int], str] = str.ljust
) -> str:
    """Return rows in columns as wide as their longest cell, two spaces apart.

    Args:
        rows: The cells.
        justify: `str.ljust`, or `str.rjust` for numbers; the first column stands left.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            (justify if index else str.ljust)(cell, width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun, such as "1 image" and "2,000 images".

    Args:
        count: How many there are.
        singular: The noun of one.
        plural: The noun of any other number; None for `singular` with an s.
    """
    return f"{count:,} {choose_form(count, singular, plural or f'{singular}s')}"


def format_duration(seconds: float) -> str:
    """Return a rough duration in words, such as "40 seconds", "3 minutes" or "1.5 hours"."""
    if seconds < 60:
        return format_count(max(round(seconds), 1), "second")
    if seconds < 90 * 60:
        return format_count(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


def choose_form(count: int, singular: str, plural: str) -> str:
    """Return the form of a verb or noun that a count has, such as "is" or "are"."""
    return singular if count == 1 else plural


def format_names(names: Sequence[object], limit: int = 3) -> str:
    """Return the first names as a list in words, and how many more there are.

    Args:
        names: One or more.
        limit: How many are named.
    """
    shown = [*map(str, names[:limit])]
    if len(names) > limit:
        return f"{', '.join(shown)} and {len(names) - limit:,} more"
    *others, last = shown
    return f"{', '.join(others)} and {last}" if others else last


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
