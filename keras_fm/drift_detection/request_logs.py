"""TF Serving's request logs: TFRecord files of `PredictionLog`, also compressed by gzip.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/prediction_log.proto
"""

import gzip
import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from keras_fm.batch_prediction.source import Chunk, Source
from keras_fm.errors import DataError
from keras_fm.files import local_path
from keras_fm.formatting import choose_form, first_line, format_count
from keras_fm.preprocessing.tables.columns import Columns, plain_names

_GZIP = b"\x1f\x8b"
_HEADER, _FRAME = 12, 16  # bytes of a record before its data, and before and behind it
CHUNK_INPUTS = {"image": 256, "text": 1000, "row": 10_000}
# The input of a signature that holds images or texts as a pipeline takes them.
_SUFFIXES = (".tfrecord", ".tfrecords")
_INPUT_NAMES = {"image": ("image", "image_bytes"), "text": ("text",)}


def is_request_log(path: Path) -> bool:
    """Return whether a file can begin with a TFRecord: its length fits into the file."""
    try:
        with path.open("rb") as stream:
            is_compressed = stream.read(2) == _GZIP
        opener: Any = gzip.open if is_compressed else open
        with opener(path, "rb") as stream:
            header = stream.read(_HEADER)
    except (OSError, EOFError):
        return False
    if len(header) < _HEADER:
        return False
    length = struct.unpack("<Q", header[:8])[0]
    # Of a compressed file the size is not known; text has a length of exabytes.
    return length + _FRAME <= (2**31 if is_compressed else path.stat().st_size)


class RequestLogs:
    """The inputs of predict requests in log files, and counts of what else is there.

    Args:
        paths: The files.
        kind: What the model takes: `"image"`, `"text"` or `"row"`.
        columns: Of a model of tables.
    """

    def __init__(self, paths: Sequence[Path], kind: str, columns: Columns) -> None:
        self.paths = paths
        self.kind = kind
        self.names = {plain: name for name, plain in plain_names(columns).items()}
        self.others: Counter[str] = Counter()
        self.num_records = 0
        self.num_broken = 0
        self.first_broken = ""

    @property
    def notes(self) -> list[str]:
        """Sentences on the records that hold no inputs."""
        notes = []
        if self.num_broken:
            notes.append(
                f"{self.num_broken:,} of {format_count(self.num_records, 'record')} "
                f"{choose_form(self.num_broken, 'is', 'are')} broken and left out, the first one: "
                f"{self.first_broken}"
            )
        if self.others:
            counts = ", ".join(f"{count:,} of {kind}" for kind, count in self.others.items())
            notes.append(
                f"{format_count(sum(self.others.values()), 'other record')} left out: {counts}"
            )
        return notes

    def source(self) -> Source:
        """Return the inputs, some at a time, of a number that is not known before."""
        return Source(0, self.kind, self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        import pandas as pd

        inputs: list[Any] = []
        names: list[str] = []
        for name, items in self._requests():
            inputs += items
            names += [name] * len(items)
            if len(inputs) >= CHUNK_INPUTS[self.kind]:
                yield Chunk(self._joined(inputs), pd.DataFrame({"record": names}))
                inputs, names = [], []
        if inputs:
            yield Chunk(self._joined(inputs), pd.DataFrame({"record": names}))

    def _joined(self, inputs: list[Any]) -> Any:
        import pandas as pd

        return pd.DataFrame(inputs, dtype=object) if self.kind == "row" else inputs

    def _requests(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the position of each predict request, and its inputs."""
        from tensorflow_serving.apis import prediction_log_pb2

        for path in self.paths:
            for position, record in self._records(path):
                try:
                    log = prediction_log_pb2.PredictionLog.FromString(record)
                    kind = log.WhichOneof("log_type")
                    if kind is None:
                        raise DataError("it holds no request")
                    if kind != "predict_log":
                        self.others[kind] += 1
                        continue
                    request = log.predict_log.request
                    items = self._inputs_of(request)
                except (DecodeError, DataError, ValueError, TypeError) as error:
                    self._count_broken(f"{position}: {first_line(error)}")
                    continue
                if items is None:
                    signature = request.model_spec.signature_name or "serving_default"
                    self.others[f"predict_log, signature {signature}"] += 1
                else:
                    yield position, items

    def _records(self, path: Path) -> Iterator[tuple[str, bytes]]:
        """Yield the records of a file up to one that is cut or altered, with their positions."""
        with path.open("rb") as stream:
            compression = "GZIP" if stream.read(2) == _GZIP else ""
        number = 0
        try:
            for record in tf.data.TFRecordDataset(os.fspath(path), compression):
                number += 1
                self.num_records += 1
                yield f"record {number:,} of {path}", record.numpy()
        except (tf.errors.DataLossError, tf.errors.OutOfRangeError):
            self.num_records += 1
            self._count_broken(
                f"record {number + 1:,} of {path}: cut or altered; what follows it in the file "
                "can't be read"
            )

    def _count_broken(self, description: str) -> None:
        self.num_broken += 1
        self.first_broken = self.first_broken or description

    def _inputs_of(self, request: Any) -> list[Any] | None:
        """Return the inputs of a request; None of a signature that takes others."""
        if self.kind == "row":
            if set(request.inputs) != set(self.names):
                return None
            columns = {self.names[name]: _to_array(x) for name, x in request.inputs.items()}
            rows = zip(*(column.tolist() for column in columns.values()), strict=True)
            return [dict(zip(columns, row, strict=True)) for row in rows]
        names = [name for name in _INPUT_NAMES[self.kind] if name in request.inputs]
        if len(request.inputs) != 1 or not names:
            return None
        return [*_to_array(request.inputs[names[0]], is_image=names[0] == "image")]


def _to_array(tensor: Any, *, is_image: bool = False) -> np.ndarray:
    """Return the tensor of a request, a row for each input."""
    array = tf.make_ndarray(tensor)
    if array.ndim != (4 if is_image else 1):
        raise DataError(
            f"expected a tensor of {4 if is_image else 1} dimensions; received {list(array.shape)}"
        )
    return array


def find_logs(items: Sequence[Any], known_suffixes: frozenset[str]) -> list[Path]:
    """Return the log files that are named, or lie in folders that are; none of other inputs.

    Args:
        items: As a user named them.
        known_suffixes: Of files that are no logs.

    Raises:
        DataError: There are logs among other files.
    """
    paths = [path for path in map(_path_of, items) if path is not None]
    for path in paths:
        if path.suffix.lower() in _SUFFIXES and not is_request_log(path):
            raise DataError(
                f"{path} is {'no TFRecord file' if path.stat().st_size else 'empty'}: expected a "
                "request log of TF Serving"
            )
    logs_of = {path: _logs_in(path, known_suffixes) for path in paths}
    logs = [log for of_path in logs_of.values() for log in of_path]
    others = [path for path, of_path in logs_of.items() if not of_path]
    if logs and (others or len(paths) < len(items)):
        other = others[0] if others else "other inputs"
        raise DataError(f"expected request logs alone; received {logs[0]} and {other}")
    return logs


def _path_of(item: Any) -> Path | None:
    """Return the path of a file or folder that is there; None of any other input."""
    if not isinstance(item, (str, os.PathLike)):
        return None
    try:
        path = local_path(item)
        return path if path.exists() else None
    except (ValueError, OSError):  # a text
        return None


def _logs_in(path: Path, known_suffixes: frozenset[str]) -> list[Path]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [
        file
        for file in files
        if file.is_file() and file.suffix.lower() not in known_suffixes and is_request_log(file)
    ]
