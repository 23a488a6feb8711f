"""Explanations as HTML: tinted words and cells, attention maps, legends."""

from collections.abc import Mapping

import numpy as np

from keras_fm import notebook
from keras_fm.explanation.attribution import Attribution
from keras_fm.explanation.importance import Importance
from keras_fm.explanation.wording import format_score, sum_of, title_of

STYLE = "body{font:16px/1.8 sans-serif;max-width:50em;margin:2em auto}"
STYLE += ".map{image-rendering:pixelated;width:11em;margin:2px}"
STYLE += "span{padding:2px;border-radius:3px}h2{font-size:1em}"
_MAP_STYLE = "image-rendering:pixelated;width:11em"
_BAR_WIDTH = 20  # em, of the most important column


def page(*sections: str) -> str:
    """Return sections as a page of its own."""
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(sections)}\n"


def section(attribution: Attribution, method: str) -> str:
    """Return a text or a row with its features tinted by their scores."""
    largest = float(np.abs(attribution.scores).max(initial=0)) or 1.0
    spans = []
    for feature, score in zip(attribution.features, attribution.scores, strict=True):
        opacity = 0.8 * float(score) / largest
        spans.append(notebook.tinted(feature, opacity, format_score(attribution, score)))
    title = notebook.escape(title_of(attribution, method))
    lines = [f"<h2>{title}</h2><p>{' '.join(spans)}</p>", _legend(attribution, method, largest)]
    if attribution.attention is not None:
        lines.append(_attention_maps(attribution.attention))
    return "".join(lines)


def _legend(attribution: Attribution, method: str, largest: float) -> str:
    """Return what the colors mean."""
    low, high = (format_score(attribution, value) for value in (-largest, largest))
    if method == "attention":
        words = notebook.tinted("attended to", 0.8, high)
        return f"<p><small>{words} up to {notebook.escape(high)} (attention rollout)</small></p>"
    words = (
        f"{notebook.tinted('against', -0.8, low)} down to {notebook.escape(low)}, "
        f"{notebook.tinted('for', 0.8, high)} up to {notebook.escape(high)}"
    )
    if attribution.score is not None:
        words += f"; {notebook.escape(sum_of(attribution))}"
    return f"<p><small>{words}</small></p>"


def _attention_maps(attention: np.ndarray) -> str:
    """Return a table of maps, a row for each block and a column for each head."""
    num_heads = attention.shape[1]
    header = ["", *(f"head {number}" for number in range(1, num_heads + 1))]
    rows = []
    for block_number, block in enumerate(attention, 1):
        maps = []
        for head_number, head in enumerate(block, 1):
            image = 255 - (255 * np.sqrt(head / head.max())).astype("uint8")
            alt = f"block {block_number}, head {head_number}"
            maps.append(notebook.picture(image, alt, _MAP_STYLE))
        rows.append([f"block {block_number}", *maps])
    note = (
        "<p><small>attention of each token (rows, downwards) to each token (columns, to the "
        "right), in the order of the text: black is the most of a map, white none</small></p>"
    )
    return notebook.table(rows, header) + note


def importance_section(importance: Importance) -> str:
    """Return a bar for each column."""
    largest = max(map(abs, importance.columns.values()), default=0) or 1.0
    rows = [
        [notebook.escape(name), _bar(value / largest), f"{value:+.4g}"]
        for name, value in importance.columns.items()
    ]
    title = (
        f"permutation_importance on {importance.num_examples:,} rows of {importance.data}: how "
        f"much worse {importance.metric} gets where a column is shuffled"
    )
    header = ["column", "", importance.metric]
    return f"<h2>{notebook.escape(title)}</h2>{notebook.table(rows, header)}"


def _bar(share: float) -> str:
    color = "rgb(220,60,40)" if share > 0 else "rgb(50,90,220)"
    width = f"{_BAR_WIDTH * abs(share):.2f}em"
    return f'<div style="background:{color};width:{width};height:1em"></div>'


def to_json(attribution: Attribution) -> Mapping[str, object]:
    """Return an attribution as plain lists and numbers."""
    values: dict[str, object] = {
        "prediction": attribution.prediction,
        "features": list(attribution.features),
        "scores": attribution.scores.tolist(),
        "score": attribution.score,
        "base_score": attribution.base_score,
    }
    if attribution.photo is not None:
        values["image_size"] = list(attribution.photo.size)
    if attribution.attention is not None:
        values["attention"] = attribution.attention.tolist()
    return values
