"""`predict_to_file`: predictions for files and folders of any size."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from keras_fm.batch_prediction.columns import prediction_columns, without_clashes
from keras_fm.batch_prediction.file_sources import (
    CHUNK_TEXTS,
    expand_folder,
    is_path,
    open_images,
    open_texts,
)
from keras_fm.batch_prediction.readable import predict_readable
from keras_fm.batch_prediction.source import Source
from keras_fm.batch_prediction.table_sources import open_tables
from keras_fm.batch_prediction.writers import check_output, open_table_writer
from keras_fm.errors import DataWarning, InvalidInputError
from keras_fm.files import local_path
from keras_fm.formatting import choose_form, format_count, format_names
from keras_fm.preprocessing.images.folders import IMAGE_SUFFIXES
from keras_fm.preprocessing.texts.inputs import TABLE_SUFFIXES
from keras_fm.serving.codec import Codec, Predictions

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 10_000  # some megabytes
SUFFIXES = {
    "image": IMAGE_SUFFIXES,
    "text": frozenset((".txt",)),
    "row": frozenset(TABLE_SUFFIXES),
}
_NOUNS = {"image": "images", "text": "texts", "row": "tables"}


class Predictor(Protocol):
    """A pipeline, or a client of a server."""

    @property
    def codec(self) -> Codec:
        """The codec of its task."""

    def __call__(self, inputs: Any, **options: Any) -> Predictions:
        """Return a prediction for each input."""


def predict_to_file(
    predictor: Predictor,
    inputs: Any,
    path: str | os.PathLike[str],
    *,
    text: str | None = None,
    id_column: str | None = None,
    **options: Any,
) -> Path:
    """Write predictions for whole files or folders to a file, however many they are.

    Files are read, and predictions written, a chunk at a time; the file appears when all are.

    Args:
        predictor: A pipeline or a client.
        inputs: See `Pipeline.predict_to_file`.
        path: See there.
        text: See there.
        id_column: See there.
        **options: Of the predictor.

    Returns:
        The path of the file.

    Raises:
        DataError: A file can't be read.
        InvalidInputError: The file exists or its suffix names no format, or an input is none that
            the model takes.
    """
    file = check_output(path)
    source = open_source(predictor.codec.input_kind, inputs, text, id_column)
    predict = _SeededPredictor(predictor, options)
    try:
        with open_table_writer(file, source.schema) as write, progress_bar(source) as bar:
            for frame in _predicted_frames(predict, source):
                write(frame)
                bar.update(len(frame))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped after {predict.count:,} of {format_count(source.count, source.unit)}; "
            f"{file} was not written"
        ) from None
    return file


def open_source(kind: str, inputs: Any, text: str | None, id_column: str | None) -> Source:
    """Open inputs for a model that takes inputs of this kind; see `Codec.input_kind`."""
    if kind not in SUFFIXES:
        raise InvalidInputError(
            "predictions are written to a file by models of images, texts and tables; this model's "
            "are none of these"
        )
    if text is not None and kind != "text":
        raise InvalidInputError(f"text is the column of the texts; this model takes {_NOUNS[kind]}")
    items, has_folders = _expand(inputs, kind)
    are_tables = kind == "row" or (kind == "text" and _are_tables(items))
    if not are_tables and (text, id_column) != (None, None):
        option = "id" if text is None else "text"
        raise InvalidInputError(f"{option} names a column of a table; received {items[0]!s:.80}")
    if kind == "row":
        return open_tables(items, chunk_size=CHUNK_ROWS, id_column=id_column)
    if are_tables:
        return open_tables(
            items, chunk_size=CHUNK_TEXTS, id_column=id_column, text=text, are_texts=True
        )
    source = open_images(items) if kind == "image" else open_texts(items)
    return replace(source, leaves_out_unreadable=has_folders)


def _expand(inputs: Any, kind: str) -> tuple[list[Any], bool]:
    """List the inputs, with the files of folders in their place; and whether all were folders."""
    is_single = isinstance(inputs, (str, bytes, os.PathLike)) or hasattr(inputs, "columns")
    items, are_folders = list[Any](), []
    for item in [inputs] if is_single else inputs:
        # A word is a text, though there may be a folder of the name.
        is_path_like = isinstance(item, os.PathLike) or (
            isinstance(item, str) and (kind != "text" or os.sep in item)
        )
        is_folder = is_path_like and _is_folder(item)
        are_folders.append(is_folder)
        if is_folder:
            items += expand_folder(local_path(item), SUFFIXES[kind], _NOUNS[kind])
        else:
            items.append(item)
    if not items:
        raise InvalidInputError("expected a file, a folder, or several; received an empty list")
    return items, all(are_folders)


def _is_folder(item: str | os.PathLike[str]) -> bool:
    try:
        return local_path(item).is_dir()
    except (InvalidInputError, OSError):  # a text, which can name no file
        return False


def _are_tables(items: Sequence[Any]) -> bool:
    """Return whether texts are in tables: of a data frame, or of files that all are tables."""
    tables = [
        item
        for item in items
        if hasattr(item, "columns")
        or (is_path(item) and Path(os.fspath(item)).suffix.lower() in TABLE_SUFFIXES)
    ]
    if tables and len(tables) < len(items):
        raise InvalidInputError(
            f"expected tables, or texts; received both, such as {tables[0]!s:.80}"
        )
    return bool(tables)


class _SeededPredictor:
    """Predicts chunks as if all were one call, in which each input of a generator has a seed."""

    def __init__(self, predictor: Predictor, options: Mapping[str, Any]) -> None:
        self.predictor = predictor
        self.options = dict(options)
        self.count = 0

    def __call__(self, inputs: Any) -> Predictions:
        options = self.options
        if self.predictor.codec.takes_seed:
            options = {**options, "seed": options.get("seed", 0) + self.count}
        predictions = self.predictor(inputs, **options)
        self.count += len(predictions)
        return predictions


def _predicted_frames(predict: _SeededPredictor, source: Source) -> "Iterator[pd.DataFrame]":
    """Yield each chunk with its predictions, and warn at the end of images that can't be read."""
    unreadable: dict[str, str] = {}
    for chunk in source.chunks:
        if source.leaves_out_unreadable:
            predictions, errors = predict_readable(predict, chunk.inputs)
            unreadable |= {chunk.inputs[row]: message for row, message in errors.items()}
            frame = chunk.frame.drop(index=chunk.frame.index[[*errors]])
        else:
            frame, predictions = chunk.frame, predict(chunk.inputs)
        if predictions:
            columns = without_clashes(prediction_columns(predictions), frame.columns)
            yield frame.assign(**columns)
    if unreadable:
        names, reason = [*unreadable], next(iter(unreadable.values()))
        if len(names) == source.count:
            raise InvalidInputError(f"no {source.unit} can be read: {reason}")
        warnings.warn(
            f"{len(names):,} of {format_count(source.count, source.unit)} can't be read and "
            f"{choose_form(len(names), 'is', 'are')} left out: "
            f"{reason if len(names) == 1 else format_names(names)}",
            DataWarning,
            stacklevel=2,
        )


def progress_bar(source: Source) -> Any:
    """Return a bar with the time that remains, shown on a terminal alone."""
    from tqdm import tqdm

    return tqdm(total=source.count or None, unit=f" {source.unit}s", leave=False, disable=None)
