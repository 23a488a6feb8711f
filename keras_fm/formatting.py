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
