"""A drift report as a page of HTML that needs no other file."""

from typing import TYPE_CHECKING, Any

from keras_fm import notebook
from keras_fm.drift_detection.statistics import FALSE_ALARMS, LARGE, MODERATE
from keras_fm.formatting import format_value

if TYPE_CHECKING:
    from keras_fm.drift_detection.report import DriftReport, FeatureDrift

HEADER = ("feature", "of", "PSI", "noise", "moved", "KS", "p", "what")
READING = (
    f"PSI below {MODERATE}: none; to {LARGE}: moderate; above: large (Siddiqi 2006); noise is what "
    f"chance alone exceeds in {FALSE_ALARMS:.0%} of reports"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse } th, td { text-align: left; padding: 2px 14px 2px 0 }
tr.large td:nth-child(5) { color: #b3261e; font-weight: bold }
tr.moderate td:nth-child(5) { color: #8a5a00; font-weight: bold }
figure { display: inline-block; margin: 0 2em 1.5em 0; vertical-align: top }
figcaption { font-weight: bold } svg text { font: 10px system-ui, sans-serif }
"""
_COLORS = ("#8aa4c8", "#d9772b")  # of training inputs and requests
_HEIGHT, _BAR, _LABELS = 110, 11, 70  # pixels


def to_html(report: "DriftReport") -> str:
    """Return the page: the table, and a histogram of each feature on both sides."""
    head = "".join(f"<th>{notebook.escape(title)}</th>" for title in HEADER)
    rows = [
        f'<tr class="{feature.verdict}">'
        + "".join(f"<td>{notebook.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for feature, cells in zip(report.features, report.rows, strict=True)
    ]
    legend = "".join(
        f'<span style="color:{color}">&#9632;</span> {text} '
        for color, text in zip(_COLORS, ("training inputs", "requests"), strict=True)
    )
    texts = [f"<p>{notebook.escape(text)}</p>" for text in (READING, *report.notes)]
    figures = "".join(_figure(feature) for feature in report.features if feature.bins)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Drift</title>'
        f"<style>{_STYLE}</style><h1>Drift</h1><p>{notebook.escape(report.title)}</p>"
        f"<p><b>{notebook.escape(report.summary)}</b></p>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table>{''.join(texts)}"
        f"<h2>Histograms</h2><p>{legend}</p>{figures}</html>\n"
    )


def _figure(feature: "FeatureDrift") -> str:
    """Return pairs of bars, the share of each bin on both sides."""
    sides: Any = (feature.reference_counts, feature.request_counts)
    shares = [[count / max(sum(side), 1) for count in side] for side in sides]
    highest = max(max(side) for side in shares) or 1
    marks = []
    for index, name in enumerate(feature.bins):
        left = index * 3 * _BAR
        for side, color in enumerate(_COLORS):
            share = shares[side][index]
            height = round(_HEIGHT * share / highest, 1)
            marks.append(
                f'<rect x="{left + side * _BAR}" y="{_HEIGHT - height}" width="{_BAR}" '
                f'height="{height}" fill="{color}"><title>{notebook.escape(name)}: {share:.1%}'
                "</title></rect>"
            )
        x, y = left + _BAR, _HEIGHT + 6
        marks.append(
            f'<text x="{x}" y="{y}" text-anchor="end" transform="rotate(-45 {x} {y})">'
            f"{notebook.escape(name[:18])}</text>"
        )
    width = len(feature.bins) * 3 * _BAR + _LABELS
    caption = f"{feature.name}: PSI {format_value(feature.psi, '.3f', 0.0)}"
    return (
        f"<figure><figcaption>{notebook.escape(caption)}</figcaption>"
        f'<svg width="{width}" height="{_HEIGHT + _LABELS}" '
        f'viewBox="-{_LABELS} 0 {width} {_HEIGHT + _LABELS}">{"".join(marks)}</svg></figure>'
    )
