"""`explain`: which features of an input count for a prediction."""

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

from keras_fm.errors import InvalidInputError, suggest
from keras_fm.explanation import attribution
from keras_fm.explanation.attribution import Attribution
from keras_fm.models.loading import resolve_model
from keras_fm.tasks import pictures
from keras_fm.tasks.base import ExplainedInput, Task, task_of

NUM_NAMED = 6  # features that are named for and against a prediction
STYLE = "body{font:16px/1.8 sans-serif;max-width:50em;margin:2em auto}img{image-rendering:pixelated"
STYLE += ";width:11em;margin:2px}span{padding:2px;border-radius:3px}h2{font-size:1em}"


@dataclass(frozen=True)
class Explanation:
    """What counts for each prediction. `str()` of it says it in words, `save` draws it.

    Attributes:
        method: How it was computed.
        attributions: For each input, in order, its `prediction`, `features` and `scores`; see
            `Attribution`.
    """

    method: str
    attributions: Sequence[Attribution]

    def __str__(self) -> str:
        """Return a line for each input."""
        return "\n".join(map(_format, self.attributions))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw images under their scores (`.png`), or texts and tables as a page (`.html`).

        Raises:
            InvalidInputError: The file exists, or has another suffix.
        """
        path, is_image = Path(path), self.attributions[0].image is not None
        suffix = ".png" if is_image else ".html"
        if path.suffix != suffix:
            raise InvalidInputError(
                f"this explanation is drawn to a {suffix} file; received {path}"
            )
        if path.exists():
            raise InvalidInputError(f"{path} exists; name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _png(_image_sheet(self.attributions)) if is_image else self._page().encode()
        path.write_bytes(content)
        return path

    def _page(self) -> str:
        sections = "".join(map(_section, self.attributions))
        return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{sections}\n"


def explain(
    name_or_model: str | os.PathLike[str] | keras.Model, inputs: Any, *, method: str = "auto"
) -> Explanation:
    """Explain predictions: which tokens, columns or regions speak for them, and which against.

    Methods:
        occlusion: Each token or column is hidden, or a square of the image; its score is by how
            much the log-odds of the predicted class fall then, or the predicted value (in its
            unit).
        grad_cam: Of a CNN, where its last feature maps speak for the prediction, 0 to 1; the
            default of images.
        attention: Of a transformer, how much each token flows into the embedding through the
            attention of all blocks (attention rollout); the weights of each head are there too. It
            says what was attended to, not what for.

    Args:
        name_or_model: A model's name, a run directory, or a model from `get`, `train`, `fine_tune`.
        inputs: What `pipeline` takes.
        method: `"auto"` is the first that the model has.

    Raises:
        InvalidInputError: An input is none that the model takes, or the model has no such method.

    Example:
        >>> explanation = keras_fm.explain("cifar_cnn", ["cat.jpg"])
        >>> explanation.save("why.png")
    """
    model = resolve_model(name_or_model)
    task: Task = task_of(model)
    methods = task.predictor.explain_methods
    if not methods:
        raise InvalidInputError(f"{model.name} has no predictions that its inputs could explain")
    known = ["auto", *methods]
    if method not in known:
        raise InvalidInputError(
            f"{model.name} has no method {method!r} to explain by. {suggest(method, known)}"
        )
    method = methods[0] if method == "auto" else method
    explained_inputs = task.predictor.explained_inputs(inputs)
    return Explanation(method, [_attribute(model, task, x, method) for x in explained_inputs])


def _attribute(
    model: keras.Model, task: Task, explained: ExplainedInput, method: str
) -> Attribution:
    attention = None
    if method == "occlusion":
        output, scores = attribution.occlusion(model, task.predictor, explained)
    else:
        output = task.predictor.predict(model, explained.inputs)
        if method == "grad_cam":
            [scores] = attribution.grad_cam(model, explained.inputs)
        else:
            [weights] = attribution.attention_weights(model, explained.inputs)
            num_tokens = len(explained.features)  # behind them is padding
            attention = weights[..., :num_tokens, :num_tokens]
            scores = attribution.attention_rollout(attention).mean(axis=0)
    [prediction] = task.predictor.predictions(output)
    return Attribution(prediction, scores, explained.features, explained.image, attention)


def _format(one: Attribution) -> str:
    prediction = _format_prediction(one)
    if one.image is not None:
        row, column = np.unravel_index(one.scores.argmax(), one.scores.shape)
        rows, columns = one.scores.shape
        return (
            f"{prediction}, most of all for row {row + 1} of {rows}, column {column + 1} of "
            f"{columns}"
        )
    order = np.argsort(-one.scores, kind="stable")
    text = f"{prediction}, for: {_name(one, [i for i in order if one.scores[i] > 0])}"
    against = [i for i in order[::-1] if one.scores[i] < 0]
    return f"{text}; against: {_name(one, against)}" if against else text


def _name(one: Attribution, order: Sequence[int]) -> str:
    named = [f"{one.features[i]} {one.scores[i]:+.2f}" for i in order[:NUM_NAMED]]
    return ", ".join(named) or "nothing"


def _format_prediction(one: Attribution) -> str:
    if "value" in one.prediction:
        return f"{one.prediction['value']:,.2f}"
    label = one.prediction["label"]
    return f"{label} {one.prediction['probabilities'][label]:.1%}"


def _image_sheet(attributions: Sequence[Attribution]) -> np.ndarray:
    """Each image, and beside it the same under its scores: red for the prediction, blue against."""
    pairs = []
    for one in attributions:
        image = np.broadcast_to(np.asarray(one.image), (*one.scores.shape, 3))
        pairs += [image, pictures.overlay_heatmap(image, one.scores)]
    return pictures.image_grid(np.stack(pairs), columns=2, zoom=max(1, 256 // len(pairs[0])))


def _section(one: Attribution) -> str:
    largest = max(float(np.abs(one.scores).max(initial=0)), 1e-9)
    spans = []
    for feature, score in zip(one.features, one.scores, strict=True):
        color = "220,60,40" if score > 0 else "50,90,220"
        opacity = 0.8 * abs(float(score)) / largest
        spans.append(
            f'<span style="background:rgba({color},{opacity:.2f})" title="{score:+.3f}">'
            f"{html.escape(feature)}</span>"
        )
    section = f"<h2>{html.escape(_format_prediction(one))}</h2><p>{' '.join(spans)}</p>"
    return section if one.attention is None else section + _attention_maps(one.attention)


def _attention_maps(attention: np.ndarray) -> str:
    """Draw a row of images for each block, one a head."""
    rows = []
    for number, block in enumerate(attention, 1):
        images = ""
        for head in block:
            image = 255 - (255 * np.sqrt(head / head.max())).astype("uint8")
            data = base64.b64encode(_png(image)).decode()
            images += f'<img alt="block {number}" src="data:image/png;base64,{data}">'
        rows.append(f"<div>{images}</div>")
    return "".join(rows)


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
