"""From raw inputs to predictions, in one call."""

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_fm import notebook
from keras_fm.batch_prediction.prediction import predict_to_file
from keras_fm.models.global_state import keras_settings
from keras_fm.models.loading import resolve_model
from keras_fm.models.lookup import find_export
from keras_fm.models.spec import spec_of
from keras_fm.options import check_option_names, with_checked_options
from keras_fm.preprocessing.names import names_of
from keras_fm.registry.tasks import is_classification, task_module
from keras_fm.serving import streams
from keras_fm.serving.class_choice import ClassChoice
from keras_fm.serving.predictions import PredictionList

if TYPE_CHECKING:
    from keras_fm.export_pipelines import ExportPipeline


class Pipeline:
    """A callable from raw inputs to predictions; see `keras_fm.pipeline`."""

    def __init__(
        self, model: keras.Model, top_k: int | None = None, threshold: float | None = None
    ) -> None:
        """Wrap a model of the zoo."""
        self.model = model
        self.spec = spec_of(model)
        self.choice = self._check_choice(top_k, threshold)

    def __repr__(self) -> str:
        """Show the task and the model."""
        return f"<{self.spec.task_name} pipeline of {self.model.name}>"

    def _repr_html_(self) -> str:
        """Show the task and the model, and what goes in and comes out."""
        shown = [*self.spec.labels[:10], *["..."] * (len(self.spec.labels) > 10)]
        inputs = [f"{x.name} ({x.dtype}): {x.description}" for x in self.spec.inputs]
        values = [("task", self.spec.task_name), ("inputs", "; ".join(inputs))]
        return notebook.facts(repr(self), [*values, ("labels", ", ".join(shown))])

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Return a prediction for each input.

        Args:
            inputs: What the model's task takes; see `keras_fm.pipeline`.
            **options: Of a classifier `top_k` or `threshold`; of a generator its `seed`, and of one
                of texts `length` and `temperature`.

        Returns:
            A list of dicts, or where `top_k` is given a list of `{"label", "score"}` an input. An
            iterator of inputs becomes an iterator of these, which reads some inputs at a time.

        Raises:
            InvalidInputError: An input is none that the model takes.
            UnknownNameError: The task has no such option.
        """
        choice = self.choice
        if not options.keys().isdisjoint(("top_k", "threshold")):
            choice = self._check_choice(options.pop("top_k", None), options.pop("threshold", None))
        predict = self.spec.task.predictor.predict_raw
        check_option_names(self.model.name, predict, options, skip=2, verb="pipeline")
        if streams.is_stream(inputs):
            return self._stream(inputs, choice, options)
        predictions = self._predict(inputs, choice, options)
        return PredictionList(predictions, names_of(inputs, len(predictions)))

    def preprocess(self, inputs: Any, **options: Any) -> Any:
        """Return raw inputs as the model takes them, an array or a dict of them by name.

        `pipeline.model(pipeline.preprocess(inputs))` are the outputs that the predictions are made
        of.

        Args:
            inputs: What a call takes.
            **options: Of a generator of images its `seed`.

        Raises:
            InvalidInputError: An input is none that the model takes.
            UnknownNameError: There is no such option.
        """
        preprocess = self.spec.task.predictor.preprocess
        check_option_names(self.model.name, preprocess, options, skip=2)
        inputs = list(inputs) if streams.is_stream(inputs) else inputs
        with keras_settings():
            return preprocess(self.model, inputs, **options)

    def predict_to_file(
        self,
        inputs: Any,
        path: str | os.PathLike[str],
        *,
        text: str | None = None,
        id_column: str | None = None,
        **options: Any,
    ) -> Path:
        """Write predictions for files or folders of any size to a table, a row for each input.

        A classifier writes `label`, its `probability` and `probability_NAME` of each class, any
        other model `prediction`. Beside them stand the columns of the input's table (those of a CSV
        file as its strings), the `file` of an image, or the `text`.

        Inputs are read and predictions written a chunk at a time. The file appears when all are
        written.

        Args:
            inputs: For a model of tables, files (CSV, also compressed, JSON lines, Parquet) or a
                data frame; of images, files; of texts, files of them, tables or texts. A folder
                means all such files in it, also in its folders, sorted; what else is there, and
                images in it that can't be read, get a warning.
            path: The file to write: `.csv`, `.jsonl` (a row a line), `.json` (a list of rows), or
                `.parquet`.
            text: Of tables, the column of the texts; None for the only one that is not of numbers.
            id_column: Of tables, the only column that is written beside the predictions.
            **options: As in a call.

        Returns:
            The path of the file.

        Raises:
            DataError: A table can't be read.
            InvalidInputError: The file exists or its suffix names no format, or an input is none
                that the model takes.

        Example:
            >>> keras_fm.pipeline("mlp").predict_to_file("diamonds.csv", "prices.csv")
        """
        return predict_to_file(self, inputs, path, text=text, id_column=id_column, **options)

    @property
    def codec(self) -> Any:
        """The codec of the task, which writes predictions for the terminal."""
        return task_module(self.spec.task_name, "codec").CODEC

    def _predict(self, inputs: Any, choice: ClassChoice, options: dict[str, Any]) -> list[Any]:
        with keras_settings():
            predictions = self.spec.task.predictor.predict_raw(self.model, inputs, **options)
        return choice(predictions)

    def _stream(
        self, inputs: Iterator[Any], choice: ClassChoice, options: dict[str, Any]
    ) -> Iterator[Any]:
        parameters = inspect.signature(self.spec.task.predictor.predict_raw).parameters
        has_seed = "seed" in parameters

        def predict(batch: list[Any], start: int) -> list[Any]:
            seed = {"seed": options.get("seed", 0) + start} if has_seed and start else {}
            return self._predict(batch, choice, {**options, **seed})

        return streams.predict_stream(inputs, predict)

    def _check_choice(self, top_k: Any, threshold: Any) -> ClassChoice:
        is_classifier = is_classification(self.spec.task_name)
        return ClassChoice.of(
            self.model.name,
            top_k,
            threshold,
            is_classifier=is_classifier,
            class_names=self.spec.labels,
        )


@with_checked_options
def pipeline(
    name_or_model: str | os.PathLike[str] | keras.Model,
    *,
    top_k: int | None = None,
    threshold: float | None = None,
) -> "Pipeline | ExportPipeline":
    """Return a callable from raw inputs to predictions, one dict an input.

    A classifier returns `label` and `probabilities` by label, or with `top_k` the most probable
    labels, sorted; a regression `value`, a generator `image` or `text`, the continuation of a
    prompt.

    A model of images takes paths of files and folders, `http` addresses, the bytes of files, images
    of Pillow, or arrays 0..255 of any size; a model of tables rows (dicts), a dict of columns, a
    data frame, or the paths or addresses of tables; one of texts strings or the `pathlib.Path` of a
    file; a generator labels or prompts. All take one input or several. An iterator, such as a
    generator, is read in batches, and an iterator of predictions comes back. Anything else is an
    `InvalidInputError`. Images are turned by their EXIF orientation, and composited on white where
    they are transparent.

    Args:
        name_or_model: A model's name, a run directory, or a model from `get`, `train`, `fine_tune`;
            or an export, a folder of versions or one of them, which predicts here as in a server.
        top_k: Of a classifier: how many labels to return for an input, each as
            `{"label", "score"}`, the most probable first; None for all, by label. A call may say
            otherwise.
        threshold: Of a classifier of two classes: from which probability on of the second one it
            is the `label`, such as 0.3 where it is costly to miss; None for the more probable one.
            `evaluate(..., threshold="balanced")` chooses one. A call may say otherwise.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'cat': 0.93, ...}},
         {...}]
        >>> classify("photo.jpg", top_k=2)
        [[{'label': 'cat', 'score': 0.93}, {'label': 'dog', 'score': 0.04}]]
    """
    path = find_export(name_or_model)
    if path is not None:
        from keras_fm.export_pipelines import ExportPipeline

        return ExportPipeline(path, top_k, threshold)
    return Pipeline(resolve_model(name_or_model), top_k, threshold)
