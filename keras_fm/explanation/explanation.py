"""Why a model answered what it answered."""

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_fm import tasks
from keras_fm.errors import InvalidInputError, suggest
from keras_fm.explanation.attribution import Attribution
from keras_fm.models import loading
from keras_fm.tasks import pictures

NAMED = 6  # parts that are named for and against an answer
STYLE = "body{font:16px/1.8 sans-serif;max-width:50em;margin:2em auto}img{image-rendering:pixelated"
STYLE += ";width:11em;margin:2px}span{padding:2px;border-radius:3px}h2{font-size:1em}"


@dataclass(frozen=True)
class Explanation:
    """What counts for each answer. `str()` of it says it in words, `save` draws it.

    method: how it was found.
    inputs: for each input, in order, its `answer`, `parts` and `scores`; see `Attribution`.
    """

    method: str
    inputs: Sequence[Attribution]

    def __str__(self) -> str:
        return "\n".join(_in_words(one) for one in self.inputs)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draws images with what counts in them (`.png`), or texts and tables as a page (`.html`).

        Raises:
            InvalidInputError: the file is there already, or ends otherwise.
        """
        path, images = Path(path), self.inputs[0].image is not None
        ending = ".png" if images else ".html"
        if path.suffix != ending:
            raise InvalidInputError(
                f"this explanation is drawn to a {ending} file; received {path}"
            )
        if path.exists():
            raise InvalidInputError(f"{path} exists; name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(_sheet(self.inputs)) if images else self._page().encode())
        return path

    def _page(self) -> str:
        sections = "".join(map(_section, self.inputs))
        return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{sections}\n"


def explain(name_or_model: str | keras.Model, inputs: Any, *, method: str = "auto") -> Explanation:
    """Says which words, columns or places of an image speak for an answer, and which against it.

    Methods:
        occlusion: each word or column is hidden, or a square of the image; its score is by how much
            the log-odds of the answered label fall then, or the answered quantity (in its unit).
        grad_cam: of a CNN, where its last maps speak for the answer, 0 to 1; the default of images.
        attention: of a transformer, how much each piece of the text flows into the embedding
            through the attention of all blocks; the maps of each head are there too. It says
            what was looked at, not what for.

    Args:
        name_or_model: a model's name, a run directory, or a model from `get`, `train`, `fine_tune`.
        inputs: what `pipeline` takes.
        method: "auto" is the first that the model has.

    Raises:
        InvalidInputError: an input that the model does not take, or a method that it does not have.

    Example:
        >>> why = keras_fm.explain("cifar_cnn", ["cat.jpg"])
        >>> why.save("why.png")
    """
    model = loading.resolve_model(name_or_model)
    task = tasks.task_of(model)
    if not task.explains:
        raise InvalidInputError(
            f"{model.name} answers nothing that could be explained by its input"
        )
    known = ["auto", *task.explains]
    if method not in known:
        raise InvalidInputError(
            f"{model.name} has no method {method!r} to explain by. {suggest(method, known)}"
        )
    method = task.explains[0] if method == "auto" else method
    return Explanation(method, task.explain(model, inputs, method))


def _in_words(one: Attribution) -> str:
    answer = _answer(one)
    if one.image is not None:
        row, column = np.unravel_index(one.scores.argmax(), one.scores.shape)
        rows, columns = one.scores.shape
        return (
            f"{answer}, most of all for row {row + 1} of {rows}, column {column + 1} of {columns}"
        )
    order = np.argsort(-one.scores, kind="stable")
    text = f"{answer}, for: {_name(one, [i for i in order if one.scores[i] > 0])}"
    against = [i for i in order[::-1] if one.scores[i] < 0]
    return f"{text}; against: {_name(one, against)}" if against else text


def _name(one: Attribution, order: Sequence[int]) -> str:
    return ", ".join(f"{one.parts[i]} {one.scores[i]:+.2f}" for i in order[:NAMED]) or "nothing"


def _answer(one: Attribution) -> str:
    if "value" in one.answer:
        return f"{one.answer['value']:,.2f}"
    return f"{one.answer['label']} {one.answer['probabilities'][one.answer['label']]:.1%}"


def _sheet(inputs: Sequence[Attribution]) -> np.ndarray:
    """Each image, and beside it the same under what counts: red for the answer, blue against it."""
    pairs = []
    for one in inputs:
        image = np.broadcast_to(np.asarray(one.image), (*one.scores.shape, 3))
        pairs += [image, pictures.overlay_heatmap(image, one.scores)]
    return pictures.image_grid(np.stack(pairs), columns=2, zoom=max(1, 256 // pairs[0].shape[0]))


def _section(one: Attribution) -> str:
    largest = max(float(np.abs(one.scores).max(initial=0)), 1e-9)
    words = []
    for part, score in zip(one.parts, one.scores, strict=True):
        colour = "220,60,40" if score > 0 else "50,90,220"
        strength = 0.8 * abs(float(score)) / largest
        words.append(
            f'<span style="background:rgba({colour},{strength:.2f})" title="{score:+.3f}">'
            f"{html.escape(part)}</span>"
        )
    section = f"<h2>{html.escape(_answer(one))}</h2><p>{' '.join(words)}</p>"
    return section if one.attention is None else section + _maps(one.attention)


def _maps(attention: np.ndarray) -> str:
    """A row of pictures for each block, one a head."""
    rows = []
    for number, block in enumerate(attention, 1):
        maps = ""
        for head in block:
            picture = 255 - (255 * np.sqrt(head / head.max())).astype("uint8")
            data = base64.b64encode(_png(picture)).decode()
            maps += f'<img alt="block {number}" src="data:image/png;base64,{data}">'
        rows.append(f"<div>{maps}</div>")
    return "".join(rows)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
