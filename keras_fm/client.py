"""Asks a model in a running TF Serving, as `pipeline` asks one in this process."""

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError, ServerError, UnknownNameError, suggest
from keras_fm.preprocessing import image_inputs, table_inputs, text_inputs
from keras_fm.registry import packages
from keras_fm.registry.entry import Input
from keras_fm.serving import servers
from keras_fm.serving.signatures import Signature

MAX_BATCH = 64  # rows of a request: as many as an export's batching file lets a server take
MAX_SEED = 2**31 - 1  # of a text: the served graph takes an int32

Arrays = dict[str, np.ndarray]
Answers = list[dict[str, Any]]


class Client:
    """A callable from raw inputs to answers, one dict an input, which a TF Serving computes.

    It takes what `keras_fm.pipeline` takes and answers what that answers; the signatures of the
    server say what its model is for. Arrays of images are sent as PNG files, in whole numbers.
    Nothing is asked before the first use, and what there is to ask is asked once.

    A server names no label but the one that it answers. `probabilities` has all of them where
    `labels` names them, or where the zoo has a model of that name and with that label in its
    place; otherwise it has the answered one alone.

    Args:
        url: `http://HOST:8501` (or https) for REST; `grpc://HOST:8500` for gRPC, which imports
            TensorFlow.
        model: its name in the server.
        version: None for the one that the server takes.
        labels: of a classifier, in the order of the export's `assets/labels.txt`.
        timeout: seconds that the server may take for a request; over REST, that it may be silent.

    Raises:
        InvalidInputError: one of them is none.
        ServerError: when it is used: what the server said, or that it is late or not there.

    Example:
        >>> classify = keras_fm.Client("http://localhost:8501", "cifar_cnn")
        >>> classify(["photo.jpg", array])
        [{'label': 'cat', 'probabilities': {'airplane': 0.001, ...}}, {...}]
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        version: int | None = None,
        labels: Sequence[str] | None = None,
        timeout: float = servers.DEFAULT_TIMEOUT,
    ) -> None:
        self._server = servers.connect(url, model, version=version, timeout=timeout)
        self._labels = None if labels is None else list(labels)

    def __repr__(self) -> str:
        return f"Client({self._server.url!r}, {self._server.model!r})"

    @property
    def signatures(self) -> dict[str, Signature]:
        """What there is to ask, by name: the dtypes and shapes of inputs and outputs."""
        return self._server.signatures

    def predict(
        self, inputs: Mapping[str, Any], signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """Asks one signature, in one request.

        Args:
            inputs: arrays by name, which are sent as they are; lists, in the signature's dtype.

        Returns:
            Arrays by name; strings are bytes.

        Raises:
            ServerError: what the server said, or that it is late or not there.
            UnknownNameError: there is no such signature, or it has no such input.
            InvalidInputError: a list that does not fit the dtype.
        """
        return self._server.predict(inputs, signature)

    def __call__(self, inputs: Any, **options: Any) -> Answers:
        """Answers to raw inputs, one or several.

        Args:
            options: of a generator its `seed`, and of one of texts `length` and `temperature`.
        """
        way = self._way()
        known = [*inspect.signature(way.ask).parameters][2:]
        for option in options:
            if option not in known:
                raise UnknownNameError(f"{self} has no option {option!r}. {suggest(option, known)}")
        asked = way.ask(self.signatures[way.signature], inputs, **options)
        answers: Answers = []
        for first in range(0, len(next(iter(asked.values()))), MAX_BATCH):
            some = {name: column[first : first + MAX_BATCH] for name, column in asked.items()}
            answered = self.predict(some, way.signature)
            self._check(way, some, answered)
            answers += way.read(self, some, answered)
        return answers

    def _way(self) -> "_Way":
        for way in WAYS:
            about = self.signatures.get(way.signature)
            if about and way.fits(about):
                return way
        raise InvalidInputError(
            f"{self} has signatures of no task of the zoo, {', '.join(self.signatures)}: ask it "
            "by `predict`"
        )

    def _check(self, way: "_Way", asked: Arrays, answered: Arrays) -> None:
        rows = {name: len(value) for name, value in answered.items()}
        expected = len(next(iter(asked.values())))
        if not way.outputs <= set(rows) or set(rows.values()) != {expected}:
            raise ServerError(f"{self} answered rows of {rows} to {expected} inputs")

    def _labels_of(self, answered: Arrays) -> list[str] | None:
        """All labels in their order, where they are known."""
        answers, places = _texts_of(answered["label"]), answered["logits"].argmax(-1)
        count = answered["logits"].shape[-1]
        room = packages().get(self._server.model)
        labels = self._labels or (room.table.get("labels") if room else None) or []
        if len(labels) == count and [labels[place] for place in places] == answers:
            return labels
        if self._labels is None:
            return None
        raise InvalidInputError(
            f"{self} answers {answers[0]!r} for label {places[0] + 1} of {count}; received labels "
            f"{self._labels}"
        )


@dataclass(frozen=True)
class _Way:
    """How a task's raw inputs are asked: by a signature with these outputs.

    inputs: the signature's; none are any columns of a table.
    ask: from a signature, raw inputs and options to arrays. read: from those, and from what was
    answered to them, to answers.
    """

    signature: str
    inputs: set[str]
    outputs: set[str]
    ask: Callable[..., Arrays]
    read: Callable[[Client, Arrays, Arrays], Answers]

    def fits(self, about: Signature) -> bool:
        """Whether it is the way to ask such a signature."""
        columns = all(
            tensor.dtype in ("float32", "string") and tensor.shape == (None,)
            for tensor in about.inputs.values()
        )
        takes = set(about.inputs) == self.inputs if self.inputs else columns
        return takes and self.outputs <= set(about.outputs)


def _ask_images(signature: Signature, inputs: Any) -> Arrays:
    return {"image_bytes": np.array(image_inputs.to_image_files(inputs), object)}


def _ask_texts(signature: Signature, inputs: Any) -> Arrays:
    return {"text": text_inputs.read_texts(inputs)}


def _ask_for_text(
    signature: Signature,
    inputs: Any,
    *,
    length: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
) -> Arrays:
    prompts = text_inputs.read_texts(inputs)
    _check_whole("length", length, MAX_SEED)
    _check_whole("seed", seed, MAX_SEED)
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)):
        raise InvalidInputError(f"temperature is a number from 0.0 on; received {temperature!r}")
    seeds = [(seed + row) % (MAX_SEED + 1) for row in range(len(prompts))]
    return {
        "prompt": prompts,
        "length": np.full(len(prompts), length, "int32"),
        "temperature": np.full(len(prompts), temperature, "float32"),
        "seed": np.array(seeds, "int32"),
    }


def _ask_for_images(signature: Signature, inputs: Any, *, seed: int = 0) -> Arrays:
    labels = text_inputs.read_texts(inputs)
    _check_whole("seed", seed, 2**62)
    return {"label": labels, "seed": np.arange(seed, seed + len(labels), dtype="int64")}


def _ask_rows(signature: Signature, inputs: Any) -> Arrays:
    table = table_inputs.to_columns(inputs)
    for name in signature.inputs:
        like = [given for given in table if table_inputs.sanitized_name(str(given)) == name]
        if name not in table and len(like) == 1:
            table[name] = table[like[0]]
    columns = [
        Input(name=name, dtype=tensor.dtype, shape=[], meaning="")
        for name, tensor in signature.inputs.items()
    ]
    return table_inputs.read_rows(table, columns)


def _read_labels(client: Client, asked: Arrays, answered: Arrays) -> Answers:
    labels = client._labels_of(answered)
    rows = zip(_texts_of(answered["label"]), answered["probabilities"].tolist(), strict=True)
    return [
        {
            "label": label,
            "probabilities": dict(zip(labels, row, strict=True)) if labels else {label: max(row)},
        }
        for label, row in rows
    ]


def _read_values(client: Client, asked: Arrays, answered: Arrays) -> Answers:
    return [{"value": value} for value in answered["value"].tolist()]


def _read_text(client: Client, asked: Arrays, answered: Arrays) -> Answers:
    return [{"text": text} for text in _texts_of(answered["text"])]


def _read_gaps(client: Client, asked: Arrays, answered: Arrays) -> Answers:
    rows = zip(answered["tokens"], answered["scores"], strict=True)
    return [
        {
            "gaps": [
                dict(zip(_texts_of(pieces), chances.tolist(), strict=True))
                for pieces, chances in zip(tokens, scores, strict=True)
                if pieces[0]  # behind a text's last gap there is none
            ]
        }
        for tokens, scores in rows
    ]


def _read_images(client: Client, asked: Arrays, answered: Arrays) -> Answers:
    from PIL import Image

    images = [np.array(Image.open(io.BytesIO(file))) for file in answered["image_bytes"]]
    asked_for = zip(_texts_of(asked["label"]), asked["seed"].tolist(), images, strict=True)
    return [
        {"label": label, "seed": seed, "image": image if image.ndim == 3 else image[..., None]}
        for label, seed, image in asked_for
    ]


_NAMED = {"label", "logits", "probabilities"}
WAYS = (  # the first that fits; a table's columns can have any name
    _Way("serve_bytes", {"image_bytes"}, _NAMED, _ask_images, _read_labels),
    _Way("sample", {"label", "seed"}, {"image_bytes"}, _ask_for_images, _read_images),
    _Way(
        "generate",
        {"prompt", "length", "temperature", "seed"},
        {"text"},
        _ask_for_text,
        _read_text,
    ),
    _Way("fill_mask", {"text"}, {"tokens", "scores"}, _ask_texts, _read_gaps),
    _Way("serving_default", {"text"}, {*_NAMED, "embedding"}, _ask_texts, _read_labels),
    _Way("serving_default", set(), _NAMED, _ask_rows, _read_labels),
    _Way("serving_default", set(), {"value"}, _ask_rows, _read_values),
)


def _texts_of(column: np.ndarray) -> list[str]:
    return [text.decode("utf-8", "replace") for text in column]


def _check_whole(name: str, value: Any, largest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise InvalidInputError(f"{name} is a whole number from 0 to {largest}; received {value!r}")
