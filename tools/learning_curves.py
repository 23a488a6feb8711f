"""Draws the learning curves of a released training as SVG, from the history that ships with it."""

import csv
from pathlib import Path
from xml.sax.saxutils import escape

from keras_fm.registry.metrics import METRICS

WIDTH, HEIGHT = 320, 200  # pixels of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 40, 30  # its margins
# A gray and two colors that are legible on white and on black.
INK, COLORS = "#808080", ("#2e86de", "#e67e22")
VALIDATION = "val_"

Series = dict[str, list[float]]


def read_history(path: Path) -> Series:
    """Return the values of each column of a history, an epoch after the other."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def draw(history: Series, metric: str) -> str:
    """Return an SVG image with a panel of the losses and, where the history has it, of the metric.

    Args:
        history: The columns of a history, by name.
        metric: The name of the metric.

    Raises:
        ValueError: The history has no loss.
    """
    losses = {name: values for name, values in history.items() if name.endswith("loss")}
    if not losses:
        raise ValueError(f"a history of {sorted(history)} has no loss to draw")
    # A generator's history has the losses of two networks, and none of validation.
    names = ("training", "validation") if "loss" in losses else None
    panels = [("loss", {_series_name(name, names): values for name, values in losses.items()})]
    values = {name: history[name] for name in (metric, VALIDATION + metric) if name in history}
    if values:
        named = {_series_name(name, ("training", "validation")): v for name, v in values.items()}
        panels.append((METRICS[metric].title, named))
    drawn = "".join(_panel(title, series, WIDTH * i) for i, (title, series) in enumerate(panels))
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}"'
    style = f'font-family="sans-serif" font-size="11" fill="{INK}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{drawn}</svg>\n'


def _series_name(column: str, names: tuple[str, str] | None) -> str:
    if names is None:
        return column.removesuffix("_loss")
    return names[column.startswith(VALIDATION)]


def _panel(title: str, series: Series, offset: int) -> str:
    """Return a panel: a line for each series, the smallest and largest values, a legend."""
    values = [value for line in series.values() for value in line]
    low, high = min(values), max(values)
    epochs = max(map(len, series.values()))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def point(epoch: int, value: float) -> str:
        x = LEFT + (right - LEFT) * epoch / max(epochs - 1, 1)
        y = bottom - (bottom - TOP) * (value - low) / ((high - low) or 1)
        return f"{x:.1f},{y:.1f}"

    parts = [
        _text(LEFT, 14, title, weight="bold"),
        f'<path d="M{LEFT},{TOP}V{bottom}H{right}" fill="none" stroke="{INK}"/>',
        _text(LEFT - 4, TOP + 4, f"{high:.3g}", "end"),
        _text(LEFT - 4, bottom, f"{low:.3g}", "end"),
        _text(LEFT, bottom + 14, "1", "middle"),
        _text(right, bottom + 14, str(epochs), "end"),
        _text((LEFT + right) // 2, bottom + 14, "epoch", "middle"),
    ]
    for number, ((name, line), color) in enumerate(zip(series.items(), COLORS, strict=False)):
        points = " ".join(point(epoch, value) for epoch, value in enumerate(line))
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>',
            _text(LEFT + 90 * number, 30, name, color=color),
        ]
    return f'<g transform="translate({offset})">\n' + "\n".join(parts) + "\n</g>\n"


def _text(
    x: int, y: int, text: str, anchor: str = "start", color: str = INK, weight: str = "normal"
) -> str:
    style = f'text-anchor="{anchor}" fill="{color}" font-weight="{weight}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
