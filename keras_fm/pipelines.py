"""From raw inputs to predictions, in one call."""

import os
from typing import TYPE_CHECKING, Any

import keras

from keras_fm.models.global_state import keras_settings
from keras_fm.models.loading import resolve_model
from keras_fm.models.lookup import find_export
from keras_fm.models.spec import spec_of
from keras_fm.options import check_option_names, with_checked_options
from keras_fm.registry.tasks import task_module

if TYPE_CHECKING:
    from keras_fm.export_pipelines import ExportPipeline


class Pipeline:
    """A callable from raw inputs to predictions; see `keras_fm.pipeline`."""

    def __init__(self, model: keras.Model) -> None:
        """Wrap a model of the zoo."""
        self.model = model
        self.spec = spec_of(model)

    def __repr__(self) -> str:
        """Show the task and the model."""
        return f"<{self.spec.task_name} pipeline of {self.model.name}>"

    def __call__(self, inputs: Any, **options: Any) -> list[dict[str, Any]]:
        """Return a prediction for each input.

        Args:
            inputs: What the model's task takes.
            **options: Of a generator its `seed`, and of one of texts `length` and `temperature`.

        Raises:
            InvalidInputError: An input is none that the model takes.
            UnknownNameError: The task has no such option.
        """
        predict = self.spec.task.predictor.predict_raw
        check_option_names(self.model.name, predict, options, skip=2, verb="pipeline")
        with keras_settings():
            return predict(self.model, inputs, **options)

    @property
    def codec(self) -> Any:
        """The codec of the task, which writes predictions for the terminal."""
        return task_module(self.spec.task_name, "codec").CODEC


@with_checked_options
def pipeline(name_or_model: str | os.PathLike[str] | keras.Model) -> "Pipeline | ExportPipeline":
    """Return a callable from raw inputs to predictions, one dict an input.

    A classifier returns `label` and `probabilities` by label, a regression `value`, a generator
    `image` or `text`, the continuation of a prompt. A model of images takes paths, the bytes of
    files, images of Pillow, or arrays 0..255 of any size, one or several; a model of tables rows
    (dicts), a dict of columns, or CSV files; one of texts strings; a generator labels or prompts.
    Anything else is an `InvalidInputError`. Images are turned by their EXIF orientation, and
    composited on white where they are transparent.

    Args:
        name_or_model: A model's name, a run directory, or a model from `get`, `train`, `fine_tune`;
            or an export, a folder of versions or one of them, which predicts here as in a server.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """
    path = find_export(name_or_model)
    if path is not None:
        from keras_fm.export_pipelines import ExportPipeline

        return ExportPipeline(path)
    return Pipeline(resolve_model(name_or_model))
