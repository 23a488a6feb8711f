"""`drift`: what moved between an export's training inputs and requests."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_fm import registry
from keras_fm.batch_prediction.file_sources import is_path
from keras_fm.batch_prediction.prediction import SUFFIXES, open_source, progress_bar
from keras_fm.batch_prediction.source import Chunk, Source
from keras_fm.data.examples import Examples
from keras_fm.drift_detection.arguments import check_drift, find_version, missing_sketch
from keras_fm.drift_detection.collecting import Collector
from keras_fm.drift_detection.comparing import compare_sketches
from keras_fm.drift_detection.report import DriftReport
from keras_fm.drift_detection.request_logs import CHUNK_INPUTS, RequestLogs, find_logs
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.exporting.local_server import LocalServer
from keras_fm.formatting import format_names
from keras_fm.models import export_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.spec import ModelSpec
from keras_fm.options import with_checked_options
from keras_fm.preprocessing.texts.inputs import TABLE_SUFFIXES
from keras_fm.registry.tasks import task_module
from keras_fm.sketches.measuring import Call, has_sketch
from keras_fm.sketches.sketch import Sketch, join_values, read_file
from keras_fm.tasks.base import Task

_REFERENCE_EXAMPLES = 20_000  # of data that is named instead of a sketch


@with_checked_options
@preserved_global_state()
def drift(
    export: str | os.PathLike[str],
    data: Any,
    *,
    reference: Any = None,
    text: str | None = None,
) -> DriftReport:
    """Say what moved between the training inputs of an export and the requests that it gets.

    The export holds a sketch of its training inputs. Requests are read, and predicted by the
    export, a chunk at a time.

    Args:
        export: The folder of versions, of which the highest is taken, or one of them.
        data: Request logs of TF Serving (TFRecord files of `PredictionLog`, of which the predict
            requests are read); what `predict_to_file` takes: tables, folders of images, texts; or
            images in memory, or `data.Examples`.
        reference: The same, to compare with instead of the sketch; at most 20,000 inputs of it.
        text: Of tables, the column of the texts; None for the only one that is not of numbers.

    Returns:
        By feature, that which moved most first: the population stability index, the size that
        chance alone explains, Kolmogorov-Smirnov's statistic, and a p-value. Features are the
        columns of a table; brightness, contrast, sharpness, saturation and size of images; length
        and share of unknown tokens of texts; predicted classes, confidence or values, and the
        embedding.

    Raises:
        InvalidInputError: There is no export, it has no sketch, or is of no classifier or
            regression.
        DataError: The data can't be read, or holds no request.

    Example:
        >>> report = keras_fm.drift("exports/flies", "requests.tfrecord")
        >>> report.moved, report.save("drift.html")
    """
    check_drift(export, data, reference=reference, text=text)
    version = find_version(export)
    task = _task_of(version)
    call = LocalServer(version).call
    notes: list[str] = []
    if reference is None:
        sketch = read_file(version)
        if sketch is None:
            raise missing_sketch(version)
    else:
        sketch = _sketch_of(task, call, reference, text, notes)
    requests = sketch.empty(_describe(data))
    collector = Collector(task, call)
    source, logs = _open(task, data, text)
    with progress_bar(source) as bar:
        for chunk in source.chunks:
            for values in collector.measure(chunk):
                requests.add(values)
            bar.update(len(chunk.frame))
    if logs is not None:
        notes += logs.notes
    if not collector.num_measured and notes and not collector.num_broken:
        raise DataError(f"{_describe(data)} holds no request that can be measured: {notes[-1]}")
    collector.check(_describe(data))
    return compare_sketches(version, sketch, requests, [*notes, *collector.notes])


def _task_of(version: Path) -> Task:
    info: Any = export_files.read_info(version)
    if not has_sketch(info["task"]):
        raise InvalidInputError(
            "expected an export of a classifier or a regression, whose inputs are images, texts or "
            f"rows; received {version} ({info['model']}, {info['task']})"
        )
    package, _ = registry.find(info["model"])
    return ModelSpec.from_dict(package, info).task


def _open(task: Task, data: Any, text: str | None) -> tuple[Source, RequestLogs | None]:
    """Open requests: logs, or what batch prediction reads."""
    kind = task_module(task.spec.task_name, "codec").CODEC.input_kind
    data = data.inputs if isinstance(data, Examples) else data
    if isinstance(data, Mapping):
        import pandas as pd

        data = pd.DataFrame(data)
    is_single = isinstance(data, (str, bytes, os.PathLike)) or hasattr(data, "columns")
    items = [data] if is_single else data
    if isinstance(items, (list, tuple)):
        known = frozenset().union(*SUFFIXES.values(), TABLE_SUFFIXES)
        logs = find_logs(items, known)
        if logs:
            if text is not None:
                raise InvalidInputError(f"text names a column of a table; received {logs[0]}")
            columns = task.spec.inputs if kind == "row" else ()
            requests = RequestLogs(logs, kind, columns)
            return requests.source(), requests
        _check_not_empty(items)
    if kind == "image" and not (is_single or all(map(_is_name, items))):
        return _open_images(items), None
    return open_source(kind, data, text, None), None


def _is_name(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike))


def _open_images(images: Sequence[Any]) -> Source:
    """Open images that are in memory: arrays, images of Pillow, or the bytes of files."""
    import pandas as pd

    size = CHUNK_INPUTS["image"]
    parts = [[*images[start : start + size]] for start in range(0, len(images), size)]
    chunks = (Chunk(part, pd.DataFrame({"image": range(len(part))})) for part in parts)
    return Source(len(images), "image", chunks)


def _check_not_empty(items: Sequence[Any]) -> None:
    """Raise a `DataError` where all files are empty, as the log of a server without requests."""
    paths = [Path(item) for item in items if is_path(item)]
    if paths and all(path.is_file() and not path.stat().st_size for path in paths):
        raise DataError(f"{format_names(paths)} is empty: expected requests")


def _describe(data: Any) -> str:
    items = data if isinstance(data, (list, tuple)) else [data]
    paths = [str(item) for item in items if isinstance(item, (str, os.PathLike))]
    return format_names(paths) if paths and len(paths) == len(items) else "the data"


def _sketch_of(
    task: Task, call: Call, reference: Any, text: str | None, notes: list[str]
) -> Sketch:
    source, logs = _open(task, reference, text)
    collector, parts = Collector(task, call), []
    for chunk in source.chunks:
        parts += [*collector.measure(chunk)]
        if collector.num_measured >= _REFERENCE_EXAMPLES:
            break
    collector.check(_describe(reference))
    notes += [f"of the reference: {note}" for note in collector.notes]
    if logs is not None:
        notes += [f"of the reference: {note}" for note in logs.notes]
    return Sketch.of(_describe(reference), join_values(parts))
