"""Asking a model: `predict` and `explain`."""

import argparse
from collections.abc import Callable
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.errors import InvalidInputError

# Options of a model that generates: they go to its pipeline where they are given.
GENERATING = [
    ("length", int, "how many characters to write"),
    ("temperature", float, "0 is the most probable text, 1 as the model finds it probable"),
    ("seed", int, "the same one generates the same (default: 0)"),
]


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(
        verbs,
        _predict,
        "ask a model",
        "keras-fm predict cifar_cnn a.jpg b.png; keras-fm predict gan Sneaker Coat --out drawn",
        keras=lambda options: not (options.url or "").startswith("http"),
    )
    verb.add_argument("model", help="a model's name or a run directory; with --url its name there")
    verb.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="images, a CSV file of rows, texts, prompts to go on with, or labels to draw",
    )
    verb.add_argument("--top", type=int, default=3, help="how many labels to show (default: 3)")
    verb.add_argument("--json", action="store_true", help="every probability, as JSON")
    for name, kind, meaning in GENERATING:
        verb.add_argument(f"--{name}", type=kind, help=f"of a generator: {meaning}")
    verb.add_argument("--out", metavar="DIRECTORY", help="of drawn images (default: here)")
    verb.add_argument("--url", help="ask a TF Serving: http://HOST:8501, or grpc://HOST:8500")
    verb.add_argument("--timeout", type=float, help="seconds to wait for it (default: 30)")

    verb = add_command(
        verbs,
        _explain,
        "what counts for an answer",
        "keras-fm explain cifar_cnn cat.jpg --out why.png",
    )
    verb.add_argument("model", help="a model's name or a run directory")
    verb.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="images, a CSV file of rows, or texts"
    )
    verb.add_argument("--method", default="auto", help="occlusion, grad_cam or attention")
    verb.add_argument("--out", metavar="FILE", help="draw it: .png for images, otherwise .html")


def _predict(options: argparse.Namespace) -> int:
    from keras_fm.cli import printing as shown

    chosen = {name: getattr(options, name) for name, *_ in GENERATING}
    given = {name: value for name, value in chosen.items() if value is not None}
    answers = shown.save_images(_asked(options)(options.inputs, **given), options.out)
    names = options.inputs
    if len(answers) != len(names):  # the rows of a table
        names = [f"row {number}" for number in range(1, len(answers) + 1)]
    if options.json:
        print(shown.predictions_json(names, answers))
        return 0
    for name, answer in zip(names, answers, strict=True):
        print(shown.format_prediction(name, answer, options.top))
    return 0


def _asked(options: argparse.Namespace) -> Callable[..., list[dict[str, Any]]]:
    """The model here, or in a server."""
    if options.url is not None:
        from keras_fm.client import Client

        waiting = {} if options.timeout is None else {"timeout": options.timeout}
        return Client(options.url, options.model, **waiting)
    if options.timeout is not None:
        raise InvalidInputError("--timeout is for a server: name it with --url")
    from keras_fm.pipelines import pipeline

    return pipeline(options.model)


def _explain(options: argparse.Namespace) -> int:
    from keras_fm.explanation.explanation import explain

    explanation = explain(options.model, options.inputs, method=options.method)
    print(explanation)
    if options.out is not None:
        print(explanation.save(options.out))
    return 0
