"""Writes a model as a SavedModel that TF Serving serves as it is: raw images in, names out."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import tensorflow as tf

from keras_fm import registry, tasks
from keras_fm.backend import need_tensorflow
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import inference_graph, server_files
from keras_fm.exporting import warmup as warming
from keras_fm.exporting.inference_graph import Precision
from keras_fm.models import loading, run_files, weights
from keras_fm.models.spec import spec_of
from keras_fm.tasks.task import Signature

OptimizeFor = Literal["memory", "latency"]


def export(
    name_or_model: str | keras.Model,
    directory: str | os.PathLike[str],
    *,
    version: int | None = None,
    warmup: bool = True,
    precision: Precision = "float32",
    optimize_for: OptimizeFor = "memory",
) -> Path:
    """Writes `directory/<version>/`, a SavedModel with raw inputs.

    `serving_default` takes what a client has, images of any size for one; the `endpoints` of the
    model's task (`keras_fm/tasks/`) say which signatures there are, their inputs and outputs.

    The version folder appears whole or not at all, so a server that polls never sees half of one.
    Beside the versions stand the server's configuration and a README with a request for each
    signature.

    Args:
        name_or_model: a model's name, a run directory, or a model.
        directory: the base path that TF Serving is given.
        version: None for the next free one. An old one is never overwritten.
        warmup: put requests into the version that the server runs before it answers others.
        precision: "bfloat16" computes in it, twice as fast where the server's CPU has it; "int8"
            stores dense layers and embeddings in it, for a smaller folder: it answers several times
            as slowly. Inputs and answers stay what they are.
        optimize_for: "latency" makes constants of the weights: a single request is answered
            sooner, for a multiple of the memory.

    Returns:
        The path of the version.

    Raises:
        InvalidInputError: the version exists, or is no whole number from 1; another precision or
            aim; nothing to quantise.
        KerasFmError: Keras runs on another backend than TensorFlow.
    """
    need_tensorflow("a SavedModel is written by")
    if optimize_for not in get_args(OptimizeFor):
        raise InvalidInputError(
            f"optimize_for is one of {', '.join(get_args(OptimizeFor))}; received {optimize_for!r}"
        )
    base = Path(directory)
    target = base / str(_free_version(base) if version is None else _check_version(base, version))
    model = loading.resolve_model(name_or_model)
    served = inference_graph.inference_model(model, precision)
    base.mkdir(parents=True, exist_ok=True)
    # Not a number, so TF Serving ignores it; on the same file system, so the rename is atomic.
    draft = Path(tempfile.mkdtemp(dir=base, prefix=f".{target.name}-"))
    try:
        made = {"precision": precision, "optimize_for": optimize_for}
        endpoints = _write_saved_model(model, served, draft, made)
        if warmup:
            warming.write_warmup(draft, spec_of(model).entry.name, endpoints)
        draft.chmod(0o755)  # mkdtemp's 0700 would shut the server's user out
        _sync(draft)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    server_files.write_server_files(base, spec_of(model).entry.name, endpoints)
    return target


def export_all(directory: str | os.PathLike[str], **options: Any) -> list[Path]:
    """Exports each pretrained model of the zoo into a folder of its name, for one server.

    `directory/models.config` names them all; it is written anew.

    Args:
        **options: of `export`.

    Returns:
        The paths of the versions.
    """
    base, names = Path(directory), registry.list_models(pretrained=True)
    versions = [export(name, base / name, **options) for name in names]
    (base / "models.config").write_text(server_files.models_config(names), "utf-8")
    return versions


def _write_saved_model(
    model: keras.Model, served: keras.Model, path: Path, made: Mapping[str, str]
) -> dict[str, Signature]:
    """Writes `served`, and `keras_fm.json`: its origin, and how near it is to the model.

    Args:
        made: the options that it was made with.
    """
    task, identity = tasks.task_of(model), spec_of(model)
    with tempfile.TemporaryDirectory() as folder:
        endpoints = task.endpoints(served, Path(folder))
        # The archive finds the variables itself; track(model) would store each twice (keras#23553).
        archive = keras.export.ExportArchive()
        for resource in endpoints.resources:
            archive.track(resource)
        for name, endpoint in endpoints.by_name.items():
            answer = endpoint.answer
            if made["optimize_for"] == "latency":
                answer = inference_graph.with_constant_weights(served, answer)
            archive.add_endpoint(name, _traced(answer, endpoint.inputs), endpoint.inputs)
        archive.write_out(str(path), verbose=False)
    about = {
        **identity.write(),
        **made,
        "weights_sha256": weights.weights_sha256(model),
        "signatures": list(endpoints.by_name),
        "parity": task.parity(model, tf.saved_model.load(str(path))),
        "written_by": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    run_files.write_json(path / "keras_fm.json", about)
    return endpoints.by_name


def _traced(answer: Callable[..., Any], inputs: Any) -> Callable[..., Any]:
    """The same, as a graph: the archive traces what it is given twice, which then is one call."""
    graph = tf.function(answer, inputs, autograph=False).get_concrete_function()

    def answered(*given: Any) -> Any:
        return graph(*given)

    return answered


def _sync(folder: Path) -> None:
    """Waits until all of it is on the disk: a rename must not outlive what it names."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        elif os.name != "nt":  # Windows opens no folder
            number = os.open(path, os.O_RDONLY)
            os.fsync(number)
            os.close(number)


def _check_version(base: Path, version: int) -> int:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError(f"version is a whole number from 1; received {version!r}")
    if (base / str(version)).exists():
        raise InvalidInputError(
            f"{base / str(version)} exists; leave version out for the next free one"
        )
    return version


def _free_version(base: Path) -> int:
    used = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    return max(used, default=0) + 1
