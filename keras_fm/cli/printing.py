"""What the commands print, and the images that they write."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.files import check_folder_path, local_path
from keras_fm.formatting import format_table

Predictions = Sequence[dict[str, Any]]


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows: on a terminal in columns that fit into it, else as wide as their longest cell.

    The import of `rich` takes 0.06 s, which `list` has not.
    """
    if not sys.stdout.isatty():
        print(format_table(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        name, *cells = row
        table.add_row(Text(name, style="bold"), *map(Text, cells))
    Console().print(table)


def format_command(*words: object) -> str:
    """Return a command line that a shell reads as these words."""
    return shlex.join(map(str, words))


def predictions_json(names: Sequence[str], predictions: Predictions) -> str:
    """Return each prediction with the name of its input, as JSON."""
    named = zip(names, predictions, strict=True)
    return json.dumps([{"input": name, **prediction} for name, prediction in named], indent=2)


def save_images(predictions: Predictions, directory: str | os.PathLike[str] | None) -> Predictions:
    """Write each `image` of the predictions to a PNG file, and return its `file` in its place.

    Args:
        predictions: Of a pipeline or a client.
        directory: Where they are written, each named after its label and seed; None for the current
            one.

    Raises:
        InvalidInputError: A file exists, or a directory is named and there is no image.
    """
    if not any("image" in prediction for prediction in predictions):
        if directory is not None:
            raise InvalidInputError("--out is for a model that generates images")
        return predictions
    from PIL import Image

    files = check_image_files(((p["label"], p["seed"]) for p in predictions), directory)
    local_path(directory or ".").mkdir(parents=True, exist_ok=True)
    for file, prediction in zip(files, predictions, strict=True):
        Image.fromarray(prediction["image"].squeeze()).save(file)
    return [
        {"label": prediction["label"], "seed": prediction["seed"], "file": str(file)}
        for file, prediction in zip(files, predictions, strict=True)
    ]


def check_image_files(
    images: Iterable[tuple[str, int]], directory: str | os.PathLike[str] | None
) -> list[Path]:
    """Return the files that generated images are written to.

    Args:
        images: The label and the seed of each.
        directory: See `save_images`.

    Raises:
        InvalidInputError: One exists.
    """
    folder = local_path(directory or ".")
    check_folder_path(folder)
    files = [folder / f"{_as_file_name(label)}-{seed}.png" for label, seed in images]
    for file in files:
        if file.exists():
            raise InvalidInputError(f"{file} exists; name another directory, or another seed")
    return files


def _as_file_name(label: str) -> str:
    return re.sub(r"\W+", "_", label).strip("_").lower()
