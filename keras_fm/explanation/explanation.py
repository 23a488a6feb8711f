"""`explain`: which features of an input count for a prediction."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_fm import notebook
from keras_fm.errors import InvalidInputError, suggest
from keras_fm.explanation.arguments import check_explain, check_figure
from keras_fm.explanation.attribution import (
    Attribution,
    attention_rollout,
    attention_weights,
    grad_cam,
    occlusion,
)
from keras_fm.files import local_path
from keras_fm.formatting import format_repr, format_value
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.options import Verbose, with_checked_options
from keras_fm.preprocessing.images.pixels import position_before
from keras_fm.progress import track, with_verbose
from keras_fm.serving import streams
from keras_fm.tasks import pictures
from keras_fm.tasks.base import ExplainablePredictor, ExplainedInput, task_of

Method = Literal["auto", "occlusion", "grad_cam", "attention"]

_MAX_SHOWN = 10  # predictions, in a terminal or a notebook
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
        return "\n".join(_format(attribution, self.method) for attribution in self.attributions)

    def __repr__(self) -> str:
        """Return the method and the first lines of `str()`."""
        lines = str(self).splitlines()
        more = [f"... {len(lines) - _MAX_SHOWN} more"] * (len(lines) > _MAX_SHOWN)
        return format_repr([f"explanation by {self.method}", *lines[:_MAX_SHOWN], *more])

    def _repr_html_(self) -> str:
        """Return the first images under their scores, or the words of texts and rows tinted."""
        shown = self.attributions[:_MAX_SHOWN]
        if shown and shown[0].image is not None:
            lines = "<br>".join(notebook.escape(_format(x, self.method)) for x in shown)
            return notebook.picture(_image_sheet(shown), f"explanation by {self.method}") + lines
        return "".join(_section(x, self.method) for x in shown)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw images under their scores (`.png`), or texts and tables as a page (`.html`).

        Raises:
            InvalidInputError: The file exists, or has another suffix.
        """
        path, is_image = local_path(path), self.attributions[0].image is not None
        check_figure(path, is_image=is_image)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (
            notebook.to_png(_image_sheet(self.attributions)) if is_image else self._page().encode()
        )
        path.write_bytes(content)
        return path

    def _page(self) -> str:
        sections = "".join(_section(x, self.method) for x in self.attributions)
        return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{sections}\n"


@with_checked_options
@with_verbose
@preserved_global_state()
def explain(
    name_or_model: str | os.PathLike[str] | keras.Model,
    inputs: Any,
    *,
    method: Method = "auto",
    verbose: Verbose = "auto",
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
        verbose: 1 draws a bar where it takes longer than a moment, 0 and 2 do not; `"auto"` is 1 on
            a terminal and in a notebook.

    Raises:
        InvalidInputError: An input is none that the model takes, or the model has no such method.

    Example:
        >>> explanation = keras_fm.explain("cifar_cnn", ["cat.jpg"])
        >>> explanation.save("why.png")
    """
    check_explain(name_or_model, method=method)
    model = resolve_model(name_or_model)
    predictor = task_of(model).predictor
    if not isinstance(predictor, ExplainablePredictor):
        raise InvalidInputError(f"{model.name} has no predictions that its inputs could explain")
    known = ["auto", *predictor.explain_methods]
    if method not in known:
        raise InvalidInputError(
            f"{model.name} has no method {method!r} to explain by. {suggest(method, known)}"
        )
    name: str = predictor.explain_methods[0] if method == "auto" else method
    inputs = list(inputs) if streams.is_stream(inputs) else inputs
    explained_inputs = predictor.explained_inputs(inputs)
    tracked = track(explained_inputs, f"explanations by {name}")
    return Explanation(name, [_attribute(model, predictor, x, name) for x in tracked])


def _attribute(
    model: keras.Model, predictor: ExplainablePredictor, explained: ExplainedInput, method: str
) -> Attribution:
    attention = None
    if method == "occlusion":
        output, scores = occlusion(model, predictor, explained)
    else:
        output = predictor.predict(model, explained.inputs)
        if method == "grad_cam":
            [scores] = grad_cam(model, explained.inputs)
        else:
            [weights] = attention_weights(model, explained.inputs)
            num_tokens = len(explained.features)  # behind them is padding
            attention = weights[..., :num_tokens, :num_tokens]
            scores = attention_rollout(attention).mean(axis=0)
    [prediction] = predictor.predictions(output)
    return Attribution(
        prediction, scores, explained.features, explained.image, explained.image_size, attention
    )


def _format(attribution: Attribution, method: str) -> str:
    """Write the prediction, the method, and the features or the place with the highest scores."""
    start = f"{_format_prediction(attribution)}; {method}"
    if attribution.image is not None:
        return f"{start}: most of all around {_format_position(attribution)}"
    scores = attribution.scores
    order = np.argsort(-scores, kind="stable")
    if method == "attention":  # which does not say what for
        return f"{start}, attended to: {_format_features(attribution, order, sign='')}"
    text = f"{start}, for: {_format_features(attribution, order[scores[order] > 0])}"
    against = order[::-1][scores[order[::-1]] < 0]
    return f"{text}; against: {_format_features(attribution, against)}" if len(against) else text


def _format_position(attribution: Attribution) -> str:
    """Write where the highest score is, in pixels of the image that the user gave."""
    rows, columns = attribution.scores.shape
    size = attribution.image_size or (rows, columns)
    position = divmod(int(attribution.scores.argmax()), columns)
    row, column = position_before(position, (rows, columns), size)
    return f"row {row + 1:,} of {size[0]:,}, column {column + 1:,} of {size[1]:,} pixels"


def _format_features(attribution: Attribution, indices: np.ndarray, sign: str = "+") -> str:
    features = [
        f"{attribution.features[index]} "
        f"{_format_score(attribution, attribution.scores[index], sign)}"
        for index in indices[:NUM_NAMED]
    ]
    return ", ".join(features) or "nothing"


def _format_score(attribution: Attribution, score: float, sign: str = "+") -> str:
    """Return a score with its sign, that of a value in the unit of the value."""
    if "value" not in attribution.prediction:
        return f"{score:{sign}.2f}"
    return f"{'+' if score >= 0 else ''}{format_value(score)}"


def _format_prediction(attribution: Attribution) -> str:
    if "value" in attribution.prediction:
        return format_value(attribution.prediction["value"])
    label = attribution.prediction["label"]
    return f"{label} {attribution.prediction['probabilities'][label]:.1%}"


def _image_sheet(attributions: Sequence[Attribution]) -> np.ndarray:
    """Draw each image next to the same under its scores: red for the prediction, blue against."""
    pairs = []
    for attribution in attributions:
        image = np.broadcast_to(np.asarray(attribution.image), (*attribution.scores.shape, 3))
        pairs += [image, pictures.overlay_heatmap(image, attribution.scores)]
    return pictures.image_grid(np.stack(pairs), columns=2, zoom=max(1, 256 // len(pairs[0])))


def _section(attribution: Attribution, method: str) -> str:
    largest = float(np.abs(attribution.scores).max(initial=0)) or 1.0
    spans = []
    for feature, score in zip(attribution.features, attribution.scores, strict=True):
        opacity = 0.8 * float(score) / largest
        spans.append(notebook.tinted(feature, opacity, _format_score(attribution, score)))
    title = notebook.escape(f"{_format_prediction(attribution)}; {method}")
    section = f"<h2>{title}</h2><p>{' '.join(spans)}</p>"
    if attribution.attention is not None:
        section += _attention_maps(attribution.attention)
    return section


def _attention_maps(attention: np.ndarray) -> str:
    """Draw a row of images for each block, one a head."""
    rows = []
    for number, block in enumerate(attention, 1):
        images = ""
        for head in block:
            image = 255 - (255 * np.sqrt(head / head.max())).astype("uint8")
            images += notebook.picture(image, f"block {number}")
        rows.append(f"<div>{images}</div>")
    return "".join(rows)
