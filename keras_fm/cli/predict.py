"""Predictions: `predict` and `explain`."""

import argparse
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_fm.cli import printing
from keras_fm.cli.common import add_command, add_model
from keras_fm.errors import InvalidInputError
from keras_fm.files import local_path
from keras_fm.models import export_files
from keras_fm.models.lookup import find_export, look_up
from keras_fm.options import check_int, check_option_names
from keras_fm.preprocessing.tables.headers import check_has_columns
from keras_fm.preprocessing.texts.inputs import is_file_name
from keras_fm.registry.tasks import is_classification, task_module
from keras_fm.serving.thresholds import check_threshold

# Options of a generator, which its pipeline takes.
GENERATOR_OPTIONS = [
    ("length", int, "the number of characters to generate"),
    ("temperature", float, "0 for greedy decoding, 1 to sample from the predicted distribution"),
    ("seed", int, "the random seed (default: 0)"),
]


INPUTS = """inputs:
  images   files that Pillow reads
  tables   CSV, TSV, Parquet or JSON files, a prediction for each row
  texts    the texts themselves, in quotes; a .txt file (or any other) is one text, all of it; of a
           CSV, TSV, Parquet or JSON file each row of the column --text is one, or of the only
           column of strings"""


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _predict,
        "predict with a model here or in TF Serving",
        "keras-fm predict cifar_cnn a.jpg b.png",
        "keras-fm predict lstm reviews.csv --text body",
        "keras-fm predict mlp rows.csv --out prices.csv",
        'keras-fm predict char_lstm "ROMEO:" --length 300 --temperature 0.8 --seed 0',
        "keras-fm predict gan Sneaker Coat --out images",
        "keras-fm predict --url http://localhost:8501 cifar_cnn a.jpg",
        details=INPUTS,
        check=_check_predict,
        needs_keras=lambda options: not (options.url or "").startswith("http"),
    )
    add_model(
        command, "a model's name, a run directory or an export; with --url its name in the server"
    )
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="images, a table's file, texts or files of them, prompts, or labels to generate; with "
        "--out also folders",
    )
    command.add_argument("--text", metavar="COLUMN", help="the column of the texts in a CSV file")
    command.add_argument("--top", type=int, default=3, help="how many labels to show (default: 3)")
    command.add_argument(
        "--json", action="store_true", help="all predictions as JSON, with every probability"
    )
    command.add_argument(
        "--threshold",
        type=float,
        help="two classes: from which probability on the second one is predicted",
    )
    for name, kind, description in GENERATOR_OPTIONS:
        command.add_argument(f"--{name}", type=kind, help=f"generators: {description}")
    command.add_argument(
        "--out",
        metavar="FILE",
        help="write the predictions to a .csv, .jsonl, .json or .parquet file; of generated images "
        "the output directory (default: .)",
    )
    command.add_argument(
        "--id", metavar="COLUMN", help="the only column of a table that --out writes beside them"
    )
    command.add_argument("--url", help="the server: http://HOST:8501, or grpc://HOST:8500")
    command.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="send a header to the server; may be repeated",
    )
    command.add_argument(
        "--timeout", type=float, help="seconds to wait for the server (default: 30)"
    )

    command = add_command(
        commands,
        _explain,
        "explain predictions by feature attributions",
        "keras-fm explain cifar_cnn cat.jpg --out why.png",
        'keras-fm explain lstm "a wonderful film"',
        "keras-fm explain lstm reviews.csv --text body --out why.html",
        "keras-fm explain mlp rows.csv --method integrated_gradients --out why.json",
        "keras-fm explain runs/mine --method permutation_importance --data rows.csv",
        details=INPUTS,
        check=_check_explain,
    )
    add_model(command, "a model's name or a run directory")
    command.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="images, a table's file, texts or files of them"
    )
    command.add_argument("--text", metavar="COLUMN", help="the column of the texts in a CSV file")
    command.add_argument(
        "--method",
        default="auto",
        help="of images grad_cam, of texts attention, of tables shap or permutation_importance, of "
        "all occlusion or integrated_gradients (default: the model's first)",
    )
    command.add_argument(
        "--data",
        help="tables: the rows of permutation_importance with their targets, or the background "
        "rows of shap",
    )
    command.add_argument(
        "--out",
        metavar="FILE",
        help="draw a .png file of images, draw an .html page, or write a .json file",
    )


def _check_predict(options: argparse.Namespace) -> None:
    check_int("--top", options.top, 1)
    _check_out(options)
    headers = _headers(options.header)
    inputs = _read_inputs(options) if options.out is None else options.inputs
    if options.url is not None:
        return
    if options.timeout is not None or headers:
        raise InvalidInputError("--timeout and --header are for a server: name it with --url")
    generator_options = _generator_options(options)
    name, task_name, labels = _describe(options.model)
    if task_name is None:
        return
    codec = task_module(task_name, "codec").CODEC
    check_option_names(name, codec.encode, generator_options, skip=2)
    check_threshold(
        name,
        options.threshold,
        is_classifier=is_classification(task_name),
        class_names=labels,
    )
    if options.out is None or not codec.input_kind:
        codec.check(name, labels, inputs, **generator_options)
    elif codec.input_kind in ("row", "text"):
        for word in filter(is_file_name, options.inputs):
            check_has_columns(word, (options.text, options.id))
    if task_name == "image-generation":
        seed = options.seed or 0
        printing.check_image_files(zip(options.inputs, itertools.count(seed)), options.out)


def _describe(model: str) -> tuple[str, str | None, Sequence[str]]:
    """Return the name, task and labels of a model or an export; no task of a foreign one."""
    path = find_export(model)
    if path is None:
        named = look_up(model)
        return named.name, named.task_name, named.labels
    info = export_files.read_info(export_files.find_version(path))
    return (info["model"], info["task"], info["labels"]) if info else (model, None, ())


def _generator_options(options: argparse.Namespace) -> dict[str, Any]:
    values = {name: getattr(options, name) for name, *_ in GENERATOR_OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def _predict(options: argparse.Namespace) -> int:
    top, generator_options = options.top, _generator_options(options)
    if options.threshold is not None:
        generator_options["threshold"] = options.threshold
    inputs = _read_inputs(options) if options.out is None else options.inputs
    predictor = _predictor(options)
    if options.out is not None and predictor.codec.input_kind:
        return _predict_to_file(predictor, options, generator_options)
    predictions = printing.save_images(predictor(inputs, **generator_options), options.out)
    names = [str(item) for item in inputs]
    if len(predictions) != len(names):  # the rows of a file
        names = [f"row {number}" for number in range(1, len(predictions) + 1)]
    if options.json:
        print(printing.predictions_json(names, predictions))
        return 0
    for name, prediction in zip(names, predictions, strict=True):
        print(predictor.codec.format(name, prediction, top))
    return 0


def _check_out(options: argparse.Namespace) -> None:
    """Check the file to write before anything is loaded."""
    from keras_fm.batch_prediction.writers import SUFFIXES, check_output

    if options.out is None and options.id is not None:
        raise InvalidInputError("--id is a column that --out FILE writes beside the predictions")
    if options.out is not None and Path(options.out).suffix.lower() in SUFFIXES:
        check_output(options.out)
        if options.json:
            raise InvalidInputError(
                "--json prints the predictions, and --out writes them: leave out one; --out "
                "FILE.jsonl writes JSON"
            )


def _predict_to_file(
    predictor: Any, options: argparse.Namespace, generator_options: dict[str, Any]
) -> int:
    path = predictor.predict_to_file(
        [
            Path(word) if os.path.isdir(os.path.expanduser(word)) else word
            for word in options.inputs
        ],
        options.out,
        text=options.text,
        id_column=options.id,
        **generator_options,
    )
    print(path)
    return 0


def _read_inputs(options: argparse.Namespace) -> list[str | Path]:
    """Return the inputs: those that are names of files as paths, or the texts of their column."""
    from keras_fm.preprocessing.texts.inputs import read_file

    inputs: list[str | Path] = []
    for word in options.inputs:
        if options.text is not None:
            inputs += read_file(word, options.text)
        else:
            inputs.append(Path(word).expanduser() if is_file_name(word) else word)
    return inputs


def _predictor(options: argparse.Namespace) -> Any:
    """Return the pipeline of the model here, or the client of one in a server."""
    if options.url is not None:
        from keras_fm.client import Client

        timeout = {} if options.timeout is None else {"timeout": options.timeout}
        return Client(options.url, options.model, headers=_headers(options.header), **timeout)
    from keras_fm.pipelines import pipeline

    return pipeline(options.model)


def _headers(words: list[str]) -> dict[str, str]:
    headers = {}
    for word in words:
        name, colon, value = word.partition(":")
        if not colon:
            raise InvalidInputError(f"--header is NAME:VALUE; received {name!r} without a colon")
        headers[name.strip()] = value.strip()
    return headers


def _check_explain(options: argparse.Namespace) -> None:
    from keras_fm.explanation.arguments import check_explain, check_figure

    check_explain(
        options.model,
        has_inputs=bool(options.inputs),
        method=options.method,
        data=options.data,
    )
    named = look_up(options.model)
    codec = task_module(named.task_name, "codec").CODEC
    if options.inputs:
        codec.check(named.name, named.labels, _read_inputs(options))
    if options.out is not None:
        is_image = named.task_name.startswith("image-")
        check_figure(local_path(options.out), is_image=is_image)


def _explain(options: argparse.Namespace) -> int:
    from keras_fm.explanation.explanation import explain

    inputs = _read_inputs(options) if options.inputs else None
    explanation = explain(options.model, inputs, method=options.method, data=options.data)
    print(explanation)
    if options.out is not None:
        print(explanation.save(options.out))
    return 0
