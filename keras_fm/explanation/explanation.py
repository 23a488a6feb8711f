"""`explain`: which features of an input count for a prediction."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from keras_fm import notebook
from keras_fm.data.examples import Examples
from keras_fm.evaluation import run_examples
from keras_fm.explanation import figures, pages
from keras_fm.explanation.arguments import (
    IMPORTANCE,
    check_explain,
    check_figure,
    resolve_method,
)
from keras_fm.explanation.attribution import (
    Attribution,
    attention_rollout,
    attention_weights,
    grad_cam,
    occlusion,
)
from keras_fm.explanation.decomposition import Decomposition
from keras_fm.explanation.importance import Importance, measure_importance
from keras_fm.explanation.integrated_gradients import IntegratedGradients
from keras_fm.explanation.shap_values import draw_background, shap_values
from keras_fm.explanation.wording import describe
from keras_fm.files import local_path
from keras_fm.formatting import format_repr
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.spec import spec_of
from keras_fm.options import Verbose, with_checked_options
from keras_fm.progress import track, with_verbose
from keras_fm.serving import streams
from keras_fm.tasks.base import ExplainablePredictor, ExplainedInput, Task, task_of

Method = Literal[
    "auto",
    "occlusion",
    "grad_cam",
    "attention",
    "integrated_gradients",
    "shap",
    "permutation_importance",
]
Attribute = Callable[[ExplainedInput], Attribution]

_MAX_SHOWN = 10  # predictions, in a terminal or a notebook
_MAX_SIDE = 480  # pixels of a photo, in a notebook


@dataclass(frozen=True)
class Explanation:
    """What counts for each prediction. `str()` of it says it in words, `save` draws it.

    Attributes:
        method: How it was computed.
        attributions: For each input, in order, its `prediction`, `features` and `scores`; see
            `Attribution`.
        importance: Of `"permutation_importance"`, which explains a data set: by column, how much
            worse the model gets without what it says; see `Importance`.
    """

    method: str
    attributions: Sequence[Attribution] = ()
    importance: Importance | None = None

    def __str__(self) -> str:
        """Return a line for each input."""
        if self.importance is not None:
            return str(self.importance)
        return "\n".join(describe(attribution, self.method) for attribution in self.attributions)

    def __repr__(self) -> str:
        """Return the method and the first lines of `str()`."""
        lines = str(self).splitlines()
        more = [f"... {len(lines) - _MAX_SHOWN} more"] * (len(lines) > _MAX_SHOWN)
        return format_repr([f"explanation by {self.method}", *lines[:_MAX_SHOWN], *more])

    def _repr_html_(self) -> str:
        """Return the first images under their scores, or the words of texts and rows tinted."""
        return self._sections(_MAX_SHOWN, _MAX_SIDE)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Draw images under their scores (`.png`), draw a page (`.html`), or write all (`.json`).

        A photo keeps its size: the scores are laid over it.

        Raises:
            InvalidInputError: The file exists, or has another suffix.
        """
        path = local_path(path)
        check_figure(path, is_image=self._is_of_images)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            image = figures.draw_images(self.attributions, self.method)
            path.write_bytes(notebook.to_png(image))
        elif path.suffix == ".json":
            path.write_text(self._json(), "utf-8")
        else:
            path.write_text(pages.page(self._sections()), "utf-8")
        return path

    @property
    def _is_of_images(self) -> bool:
        return bool(self.attributions) and self.attributions[0].image is not None

    def _sections(self, count: int | None = None, max_side: int | None = None) -> str:
        """Return the first so many, with photos of at most `max_side` pixels, as HTML."""
        if self.importance is not None:
            return pages.importance_section(self.importance)
        shown = self.attributions[:count]
        if not self._is_of_images:
            return "".join(pages.section(attribution, self.method) for attribution in shown)
        lines = "<br>".join(notebook.escape(describe(x, self.method)) for x in shown)
        image = figures.draw_images(shown, self.method, max_side)
        return notebook.picture(image, f"explanation by {self.method}", "max-width:100%") + lines

    def _json(self) -> str:
        values: dict[str, Any] = {"method": self.method}
        if self.importance is not None:
            values |= vars(self.importance)
        else:
            values["attributions"] = [pages.to_json(x) for x in self.attributions]
        return json.dumps(values, indent=2) + "\n"


@with_checked_options
@with_verbose
@preserved_global_state()
def explain(
    name_or_model: str | os.PathLike[str] | keras.Model,
    inputs: Any = None,
    *,
    method: Method = "auto",
    data: Any = None,
    verbose: Verbose = "auto",
) -> Explanation:
    """Explain predictions: which tokens, columns or regions speak for them, and which against.

    Scores are of the log-odds of the predicted class, or of the predicted value (in its unit).

    Methods:
        occlusion: Each token or column is hidden, or a square of the image; its score is by how
            much the prediction's falls then.
        grad_cam: Of a CNN, where its last feature maps speak for the prediction, 0 to 1; the
            default of images.
        attention: Of a transformer, how much each token flows into the embedding through the
            attention of all blocks (attention rollout); the weights of each head are there too. It
            says what was attended to, not what for.
        integrated_gradients: The gradients on the way from a baseline that says nothing (a black
            image, masked tokens, a row of missing cells). The scores sum to the difference between
            the prediction's and the baseline's, to 1 % of it where 512 steps are enough; `residual`
            of an `Attribution` is what they leave.
        shap: Of a table, SHAP values by the package `shap`, which sum to the difference from the
            mean over background rows.
        permutation_importance: Of a table, over a data set: how much worse the first metric gets
            where a column is shuffled.

    Args:
        name_or_model: A model's name, a run directory, or a model from `get`, `train`, `fine_tune`.
        inputs: What `pipeline` takes; none for `"permutation_importance"`.
        method: `"auto"` is the first that the model has.
        data: Of `"permutation_importance"` the rows with their targets, in all the ways that
            `evaluate` takes them, None for what it takes then. Of `"shap"` the background rows, as
            `pipeline` takes them, of which at most 100 are drawn; None for those that validated the
            run, or of a model of the zoo the bundled sample.
        verbose: 1 draws a bar where it takes longer than a moment, 0 and 2 do not; `"auto"` is 1 on
            a terminal and in a notebook.

    Raises:
        DataError: There are no rows of a data set or of a background.
        InvalidInputError: An input is none that the model takes, the model has no such method, or a
            package is missing.

    Example:
        >>> explanation = keras_fm.explain("cifar_cnn", ["cat.jpg"])
        >>> explanation.save("why.png")
    """
    check_explain(name_or_model, has_inputs=inputs is not None, method=method, data=data)
    model = resolve_model(name_or_model)
    predictor = task_of(model).predictor
    methods = getattr(predictor, "explain_methods", ())
    has_attention = spec_of(model).entry.has_attention
    name = resolve_method(str(model.name), methods, method, has_attention=has_attention)
    if name == IMPORTANCE:
        importance = measure_importance(name_or_model, model, data)
        return Explanation(name, importance=importance)
    assert isinstance(predictor, ExplainablePredictor)
    attribute = _attribute_function(name_or_model, model, name, data)
    inputs = list(inputs) if streams.is_stream(inputs) else inputs
    tracked = track(predictor.explained_inputs(inputs), f"explanations by {name}")
    return Explanation(name, [attribute(explained) for explained in tracked])


def _attribute_function(
    name_or_model: Any, model: keras.Model, method: str, data: Any
) -> Attribute:
    """Return what attributes the prediction for an input to its features."""
    task: Task = task_of(model)
    predictor = task.predictor
    assert isinstance(predictor, ExplainablePredictor)
    if method == "integrated_gradients":
        integrated_gradients = IntegratedGradients(model, predictor)
        return lambda explained: _decomposed(predictor, explained, *integrated_gradients(explained))
    if method == "shap":
        background = draw_background(_background(name_or_model, model, data))
        return lambda explained: _decomposed(
            predictor, explained, *shap_values(model, predictor, explained, background)
        )
    return lambda explained: _attribute(model, predictor, explained, method)


def _background(name_or_model: Any, model: keras.Model, data: Any) -> Any:
    """Return the encoded columns that rows are compared with."""
    task: Task = task_of(model)
    if data is not None and not isinstance(data, Examples):
        return task.predictor.preprocess(model, data)
    if data is None:
        path = run_files.run_path(name_or_model)
        data = (
            task.data.load("sample") if path is None else run_examples.default_examples(path, task)
        )
    task.data.check(data)
    return task.data.encode(data).inputs


def _decomposed(
    predictor: ExplainablePredictor,
    explained: ExplainedInput,
    output: Any,
    decomposition: Decomposition,
) -> Attribution:
    [prediction] = predictor.predictions(output)
    scores = decomposition.contributions
    if explained.image is None:  # behind a text's tokens is padding
        scores = scores[: len(explained.features)]
    return Attribution(
        prediction,
        scores,
        explained.features,
        explained.image,
        explained.photo,
        score=decomposition.score,
        base_score=decomposition.base_score,
    )


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
        prediction, scores, explained.features, explained.image, explained.photo, attention
    )
