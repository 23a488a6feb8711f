"""Tables as text, for the terminal and for reports."""

from collections.abc import Callable, Sequence


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
