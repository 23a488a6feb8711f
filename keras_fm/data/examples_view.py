"""What terminals and notebooks show of examples: how many, of which kind, and the first ones."""

from typing import Any

import numpy as np

from keras_fm import notebook
from keras_fm.formatting import format_repr

_MAX_IMAGES, _MAX_ROWS, _MAX_CHARACTERS = 10, 5, 300


def to_text(inputs: Any, targets: np.ndarray, description: str) -> str:
    """Return the description, and the dtypes and shapes of inputs and targets."""
    if isinstance(inputs, dict):
        shapes = ", ".join(f"{name} {column.dtype}" for name, column in inputs.items())
        shapes = f"{len(inputs)} columns: {shapes}"
    else:
        shapes = _shape(inputs)
    lines = [
        f"{len(targets):,} examples: {description}",
        f"inputs: {shapes}",
        f"targets: {_shape(targets)}",
    ]
    return format_repr(lines)


def to_html(inputs: Any, targets: np.ndarray, description: str) -> str:
    """Return the first images, texts or rows with their targets."""
    title = notebook.escape(f"{len(targets):,} examples: {description}")
    return f"<p><b>{title}</b></p>{_first(inputs, targets[:_MAX_IMAGES].tolist())}"


def _first(inputs: Any, targets: list[Any]) -> str:
    if isinstance(inputs, dict):
        rows = [
            [*(_cell(column[row]) for column in inputs.values()), _cell(targets[row])]
            for row in range(min(len(targets), _MAX_ROWS))
        ]
        return notebook.table(rows, [*map(str, inputs), "target"])
    inputs = np.asarray(inputs)
    if inputs.ndim == 4 and inputs.dtype == np.uint8 and inputs.shape[-1] in (1, 3):
        style = "width:5em;image-rendering:pixelated"
        pairs = zip(inputs[:_MAX_IMAGES], targets, strict=False)
        figures = [
            f'<div style="display:inline-block;margin:2px;text-align:center">'
            f"{notebook.picture(image, f'target {target}', style)}<br>{_cell(target)}</div>"
            for image, target in pairs
        ]
        return "".join(figures)
    if inputs.ndim == 1 and inputs.dtype.kind in "iu":  # the characters of one text
        text = "".join(map(chr, inputs[:_MAX_CHARACTERS].tolist()))
        return f"<pre>{notebook.escape(text)}</pre>"
    if inputs.ndim == 1 and inputs.dtype.kind in "OSU":
        pairs = zip(inputs[:_MAX_ROWS], targets, strict=False)
        rows = [[_cell(text), _cell(target)] for text, target in pairs]
        return notebook.table(rows, ("text", "target"))
    return f"<p>inputs: {_shape(inputs)}</p>"


def _shape(array: Any) -> str:
    array = np.asarray(array)
    kind = "texts" if array.dtype.kind in "OSU" else str(array.dtype)
    return f"{kind} {list(array.shape)}"


def _cell(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    is_long = len(text) > _MAX_CHARACTERS
    return notebook.escape(text[:_MAX_CHARACTERS] + "..." * is_long)
