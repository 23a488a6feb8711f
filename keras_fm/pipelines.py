"""From raw inputs to predictions, in one call."""

import os
from pathlib import Path
from typing import Any

import keras

from keras_fm.batch_prediction.prediction import predict_to_file
from keras_fm.models.global_state import keras_settings
from keras_fm.models.loading import resolve_model
from keras_fm.models.spec import spec_of
from keras_fm.options import check_option_names
from keras_fm.registry.tasks import task_module


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
        check_option_names(self.model.name, predict, options, skip=2)
        with keras_settings():
            return predict(self.model, inputs, **options)

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


def pipeline(name_or_model: str | keras.Model) -> Pipeline:
    """Return a callable from raw inputs to predictions, one dict an input.

    A classifier returns `label` and `probabilities` by label, a regression `value`, a generator
    `image` or `text`, the continuation of a prompt. A model of images takes paths, the bytes of
    files, images of Pillow, or arrays 0..255 of any size, one or several; a model of tables rows
    (dicts), a dict of columns, or CSV files; one of texts strings; a generator labels or prompts.
    Anything else is an `InvalidInputError`. Images are turned by their EXIF orientation, and
    composited on white where they are transparent.

    Args:
        name_or_model: A model's name, a run directory, or a model from `get`, `train`, `fine_tune`.

    Example:
        >>> classify = keras_fm.pipeline("cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """
    return Pipeline(resolve_model(name_or_model))
