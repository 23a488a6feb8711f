"""How `keras-fm predict` shows what a pipeline answers: in words, as JSON, as files of images."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError

Answers = Sequence[dict[str, Any]]


def format_prediction(name: str, answer: dict[str, Any], top: int) -> str:
    """What is answered to the input `name`; of a classifier's labels the `top` ones."""
    if "text" in answer:  # it goes on with the prompt
        return name + answer["text"]
    if "file" in answer:
        return f"{name}: {answer['file']}"
    if "gaps" in answer:
        return f"{name}: " + "; ".join(_ranked(gap, top) for gap in answer["gaps"])
    if "value" in answer:
        return f"{name}: {answer['value']:,.2f}"
    return f"{name}: {_ranked(answer['probabilities'], top)}"


def predictions_json(names: Sequence[str], answers: Answers) -> str:
    """Each answer with the name of its input."""
    named = zip(names, answers, strict=True)
    return json.dumps([{"input": name, **answer} for name, answer in named], indent=2)


def save_images(answers: Answers, directory: str | os.PathLike[str] | None) -> Answers:
    """The answers with `file`, a PNG file that was written, in place of each `image`.

    Args:
        directory: where they are written, each named after its label and seed; None: the current
            one.

    Raises:
        InvalidInputError: a file is there already, or a directory is named and there is no image.
    """
    if not any("image" in answer for answer in answers):
        if directory is not None:
            raise InvalidInputError("--out is for a model that makes images; this one does not")
        return answers
    folder = Path(directory or ".")
    files = [folder / f"{_plain(answer['label'])}-{answer['seed']}.png" for answer in answers]
    for file in files:
        if file.exists():
            raise InvalidInputError(f"{file} exists; name another directory, or another seed")
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for file, answer in zip(files, answers, strict=True):
        Image.fromarray(answer["image"].squeeze()).save(file)
    return [
        {"label": answer["label"], "seed": answer["seed"], "file": str(file)}
        for file, answer in zip(files, answers, strict=True)
    ]


def _ranked(shares: dict[str, float], top: int) -> str:
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{label} {share:.1%}" for label, share in ranked[:top])


def _plain(label: str) -> str:
    """A label as a part of a file's name."""
    return re.sub(r"\W+", "_", label).strip("_").lower()


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Prints rows in columns as wide as their longest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
