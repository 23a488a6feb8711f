"""HTML for notebooks, which show what `_repr_html_` returns: tables, pictures and tinted words."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

escape = html.escape
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return a table.

    Args:
        rows: The cells, as HTML: `escape` text before.
        header: The titles of the columns, as text; none for a table without.
    """
    head = "".join(f'<th style="{_CELL}">{escape(title)}</th>' for title in header)
    lines = [f"<tr>{head}</tr>"] if head else []
    for row in rows:
        cells = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def facts(title: str, values: Iterable[tuple[str, str]]) -> str:
    """Return a title and a table of names and values, all of them text."""
    rows = [(f"<b>{escape(name)}</b>", escape(value)) for name, value in values if value]
    return f"<p><b>{escape(title)}</b></p>{table(rows)}"


def to_png(image: "np.ndarray") -> bytes:
    """Encode a uint8 image `[rows, columns]` or `[rows, columns, 1 or 3]` as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(stream, "PNG")
    return stream.getvalue()


def picture(image: "np.ndarray", alt: str, style: str = "") -> str:
    """Return an image inside the page.

    Args:
        image: As `to_png` takes it.
        alt: What it shows, as text.
        style: CSS.
    """
    data = base64.b64encode(to_png(image)).decode()
    style = f' style="{style}"' if style else ""
    return f'<img alt="{escape(alt)}"{style} src="data:image/png;base64,{data}">'


def tinted(word: str, opacity: float, title: str) -> str:
    """Return a word on a colored ground: red above 0, blue below.

    Args:
        word: As text.
        opacity: From -1 to 1.
        title: What the mouse shows, as text.
    """
    color = "220,60,40" if opacity > 0 else "50,90,220"
    return (
        f'<span style="background:rgba({color},{abs(opacity):.2f})" '
        f'title="{escape(title)}">{escape(word)}</span>'
    )
