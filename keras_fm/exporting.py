"""Writes a model as a SavedModel that TF Serving serves as it is: raw images in, names out."""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from keras_fm import runs, tasks
from keras_fm.errors import InvalidInputError, KerasFmError
from keras_fm.identity import identify


def export(
    name_or_model: str | keras.Model,
    directory: str | os.PathLike[str],
    *,
    version: int | None = None,
) -> Path:
    """Writes `directory/<version>/`, a SavedModel with raw inputs.

    `serving_default` takes what a client has, images of any size for one; the `endpoints` of the
    model's task (`keras_fm/tasks/`) say which signatures there are, their inputs and outputs.

    The version folder appears whole or not at all, so a server that polls never sees half of one.

    Args:
        name_or_model: a model's name, a run directory, or a model.
        directory: the base path that TF Serving is given.
        version: None for the next free one. An old one is never overwritten.

    Returns:
        The path of the version.

    Raises:
        InvalidInputError: the version exists, or is no whole number from 1.
        KerasFmError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise KerasFmError(
            f"a SavedModel is written by the TensorFlow backend; this is the "
            f"{keras.backend.backend()} backend. Run it with KERAS_BACKEND=tensorflow"
        )
    base = Path(directory)
    target = base / str(_free_version(base) if version is None else _check_version(base, version))
    model = runs.as_model(name_or_model)
    identify(model)
    base.mkdir(parents=True, exist_ok=True)
    # Not a number, so TF Serving ignores it; on the same file system, so the rename is atomic.
    draft = Path(tempfile.mkdtemp(dir=base, prefix=f".{target.name}-"))
    try:
        about = _write_saved_model(model, draft)
        runs.write_json(draft / "keras_fm.json", about)
        draft.chmod(0o755)  # mkdtemp's 0700 would shut the server's user out
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return target


def _write_saved_model(model: keras.Model, path: Path) -> dict[str, object]:
    """Writes it, and answers what stands beside it: its origin, and how near it is to the model."""
    task, identity = tasks.of(model), identify(model)
    with tempfile.TemporaryDirectory() as folder:
        endpoints = task.endpoints(model, Path(folder))
        # The archive finds the variables itself; track(model) would store each twice (keras#23553).
        archive = keras.export.ExportArchive()
        for resource in endpoints.resources:
            archive.track(resource)
        for name, endpoint in endpoints.by_name.items():
            archive.add_endpoint(name, endpoint.answer, endpoint.inputs)
        archive.write_out(str(path), verbose=False)
    return {
        **identity.write(),
        "signatures": list(endpoints.by_name),
        "parity": task.parity(model, tf.saved_model.load(str(path))),
        "written_by": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


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
