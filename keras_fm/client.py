"""Predictions of a model in a running TF Serving, as `pipeline` returns those of one here."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm import registry
from keras_fm.batch_prediction.prediction import predict_to_file
from keras_fm.errors import InvalidInputError, ServerError
from keras_fm.formatting import format_count
from keras_fm.options import check_option_names
from keras_fm.preprocessing.names import names_of
from keras_fm.registry.tasks import TASKS, task_module
from keras_fm.serving import servers, streams
from keras_fm.serving.class_choice import ClassChoice
from keras_fm.serving.codec import CLASS_OUTPUTS, Arrays, Codec, Predictions, to_texts
from keras_fm.serving.predictions import PredictionList
from keras_fm.serving.signatures import Signature

MAX_BATCH = 64  # rows of a request: as many as an export's batching file lets a server take


class Client:
    """A callable from raw inputs to predictions, one dict an input, which a TF Serving computes.

    It takes what `keras_fm.pipeline` takes and returns what that returns; the signatures of the
    server say what its model is for. Images that are no JPEG or PNG files are sent as PNG, in whole
    numbers. The server is not called before the first use, and its signatures are fetched once.

    A server names no class but the predicted one. `probabilities` has all of them where
    `class_names` names them, or where the zoo has a model of that name with that class at that
    index; otherwise it has the predicted one alone.

    Args:
        url: `http://HOST:8501` (or https) for REST; `grpc://HOST:8500` for gRPC, which imports
            TensorFlow. `http://USER:PASSWORD@HOST` sends them in an `Authorization` header.
        model: Its name in the server.
        version: None for the one that the server takes.
        class_names: Of a classifier, in the order of the export's `assets/labels.txt`.
        timeout: Seconds that the server may take for a request; over REST, that it may be silent.
        headers: Sent with every request, such as `{"Authorization": "Bearer ..."}`; over gRPC as
            metadata.

    Raises:
        InvalidInputError: An argument is none of these.
        ServerError: When it is used: what the server said, or that it is late or not there.

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
        class_names: Sequence[str] | None = None,
        timeout: float = servers.DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """See the class."""
        self._server = servers.connect(
            url, model, version=version, timeout=timeout, headers=headers
        )
        self._class_names = None if class_names is None else list(class_names)

    def __repr__(self) -> str:
        """Show the address and the model."""
        return f"Client({self._server.url!r}, {self._server.model!r})"

    @property
    def signatures(self) -> dict[str, Signature]:
        """The signatures by name: the dtypes and shapes of inputs and outputs."""
        return self._server.signatures

    def predict(
        self, inputs: Mapping[str, Any], signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """Call one signature, in one request.

        Args:
            inputs: Arrays by name, which are sent as they are; lists, in the signature's dtype.
            signature: Its name.

        Returns:
            Arrays by name; strings are bytes.

        Raises:
            ServerError: What the server said, or that it is late or not there.
            UnknownNameError: There is no such signature, or it has no such input.
            InvalidInputError: A list does not fit the dtype.
        """
        return self._server.predict(inputs, signature)

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        **options: Any,
    ) -> Any:
        """Return predictions for raw inputs, one or several.

        Args:
            inputs: What `keras_fm.pipeline` takes; an iterator becomes an iterator of predictions.
            top_k: Of a classifier, as in `keras_fm.pipeline`; more than 1 needs the names of all
                classes.
            threshold: Of a classifier of two classes, as in `keras_fm.pipeline`; it needs their
                names.
            **options: Of a generator its `seed`, and of one of texts `length` and `temperature`.
        """
        codec = self.codec
        choose = self._check_choice(top_k, threshold)
        check_option_names(str(self), codec.encode, options, skip=2)

        def predict(batch: Any, start: int = 0) -> list[Any]:
            seed = {"seed": options.get("seed", 0) + start} if codec.takes_seed and start else {}
            return choose(self._predict(codec, batch, {**options, **seed}))

        if streams.is_stream(inputs):
            return streams.predict_stream(inputs, predict)
        predictions = predict(inputs)
        return PredictionList(predictions, names_of(inputs, len(predictions)))

    def _check_choice(self, top_k: Any = None, threshold: Any = None) -> ClassChoice:
        return ClassChoice.of(
            str(self),
            top_k,
            threshold,
            # Without a choice no request is sent yet.
            is_classifier=(top_k, threshold) == (None, None) or self.codec.outputs >= CLASS_OUTPUTS,
            class_names=self._class_names,
        )

    def _predict(self, codec: Codec, inputs: Any, options: Mapping[str, Any]) -> Predictions:
        request = codec.encode(self.signatures[codec.signature], inputs, **options)
        predictions: Predictions = []
        for start in range(0, len(next(iter(request.values()))), MAX_BATCH):
            batch = {name: column[start : start + MAX_BATCH] for name, column in request.items()}
            response = self.predict(batch, codec.signature)
            self._check(codec, batch, response)
            predictions += codec.decode(batch, response, self._names_of)
        return predictions

    def predict_to_file(
        self,
        inputs: Any,
        path: str | os.PathLike[str],
        *,
        text: str | None = None,
        id_column: str | None = None,
        **options: Any,
    ) -> Path:
        """Write predictions for files or folders of any size, as a pipeline's `predict_to_file`.

        Args:
            inputs: Files or folders, a data frame, or texts.
            path: The file to write: `.csv`, `.jsonl`, `.json` or `.parquet`.
            text: Of tables, the column of the texts.
            id_column: Of tables, the only column that is written beside the predictions.
            **options: As in a call.
        """
        return predict_to_file(self, inputs, path, text=text, id_column=id_column, **options)

    @property
    def codec(self) -> Codec:
        """The codec of the task that the server's signatures are of.

        Raises:
            InvalidInputError: They are of no task of the zoo.
        """
        for task in TASKS:
            codec = task_module(task, "codec").CODEC
            signature = self.signatures.get(codec.signature)
            if signature and codec.fits(signature):
                return codec
        raise InvalidInputError(
            f"{self} has signatures of no task of the zoo, {', '.join(self.signatures)}: call them "
            "by `predict`"
        )

    def _check(self, codec: Codec, request: Arrays, response: Arrays) -> None:
        rows = {name: len(value) for name, value in response.items()}
        expected = len(next(iter(request.values())))
        if not codec.outputs <= set(rows) or set(rows.values()) != {expected}:
            raise ServerError(
                f"{self} returned rows of {rows} to {format_count(expected, 'input')}"
            )

    def _names_of(self, response: Arrays) -> list[str] | None:
        """Return the class names in the order of the logits, where they are known."""
        labels, indices = to_texts(response["label"]), response["logits"].argmax(-1)
        count = response["logits"].shape[-1]
        package = registry.packages().get(self._server.model)
        zoo_labels = package.entry_table.get("labels") if package else None
        names = self._class_names or zoo_labels or []
        if len(names) == count and [names[index] for index in indices] == labels:
            return names
        if self._class_names is None:
            return None
        raise InvalidInputError(
            f"{self} predicts {labels[0]!r} for class {indices[0] + 1} of {count}; received "
            f"class_names {self._class_names}"
        )
