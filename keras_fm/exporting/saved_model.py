"""`export`: a model as a SavedModel that TF Serving serves as it is."""

import datetime
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import keras_fm
from keras_fm import registry
from keras_fm.backend import need_tensorflow
from keras_fm.calibration.calibration import FILE as CALIBRATION
from keras_fm.calibration.calibration import save_calibration
from keras_fm.data.user.source import UserData
from keras_fm.evaluation.calibrating import calibrated_model, without_calibration
from keras_fm.exporting import inference_graph, server_files
from keras_fm.exporting.arguments import (
    OptimizeFor,
    Precision,
    check_export,
    check_version,
    resolve_coverage,
)
from keras_fm.exporting.parity import export_parity
from keras_fm.exporting.same_model import check_same_model
from keras_fm.exporting.session import Session
from keras_fm.exporting.warmup import EXTRA, write_warmup
from keras_fm.files import atomic_directory, local_path
from keras_fm.logs import left_out
from keras_fm.models import export_files, run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.run_files import write_json
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.models.weights import weights_sha256
from keras_fm.options import with_checked_options
from keras_fm.progress import track
from keras_fm.sketches.writing import write_sketch
from keras_fm.tasks.base import Signature, Task


@with_checked_options
@preserved_global_state()
def export(
    name_or_model: str | os.PathLike[str] | keras.Model,
    directory: str | os.PathLike[str],
    *,
    version: int | None = None,
    warmup: bool = True,
    precision: Precision = "float32",
    optimize_for: OptimizeFor = "memory",
    sketch: bool = True,
    calibrate: bool | None = None,
    coverage: float | None = None,
    calibration_data: Any = None,
    text: str | None = None,
    target: str | None = None,
) -> Path:
    """Write `directory/<version>/`, a SavedModel with raw inputs.

    `serving_default` takes what a client has, images of any size for one; `serve` of the model's
    task (`keras_fm/tasks/`) says which signatures there are, their inputs and outputs.

    The version folder appears whole or not at all, so a server that polls never sees half of one.
    Beside the versions stand the server's configuration and a README with a request for each
    signature.

    Args:
        name_or_model: A model's name, a run directory, or a model.
        directory: The base path that TF Serving is given; its name is the model's in the server.
        version: None for the next free one. An old one is never overwritten.
        warmup: Puts requests into the version that the server runs before it serves others.
        precision: `"bfloat16"` computes in it, twice as fast where the server's CPU has it, but for
            recurrent layers; `"int8"` stores dense layers and embeddings in it, for a smaller
            folder, and is several times as slow. Inputs and outputs stay what they are.
        optimize_for: `"latency"` makes the weights constants: a single request is served sooner,
            for a multiple of the memory.
        sketch: Puts a sketch of the training inputs into the version, with which `drift` compares
            requests: histograms of what validated the run or the zoo's training, no examples. A
            line says where no such data is at hand.
        calibrate: Of a classifier: its signatures have `calibrated_probabilities`, the
            `prediction_set` and `in_distribution`, too, whatever else they have; see `coverage`.
            None: where the model is calibrated. The zoo's models are calibrated on what their
            recipes held out of the training split, runs on what validated them.
        coverage: The share of inputs like those whose class is in the `prediction_set`, and of
            those that are `in_distribution`; it implies `calibrate`. None for 0.9.
        calibration_data: Examples to calibrate on that the model was not trained on, in all the
            ways that `evaluate` takes them; it implies `calibrate`.
        text: Of a CSV file of texts in `calibration_data` the column of the texts.
        target: Of that file the column of their classes.

    Returns:
        The path of the version.

    Raises:
        InvalidInputError: The version exists, or is no whole number from 1; the directory holds a
            model of another task, or of other classes or inputs; there is no such precision or aim,
            or nothing to quantize; it is no classifier to calibrate.
        DataError: There are no, or too few, examples to calibrate on.
        KerasFmError: Keras runs on another backend than TensorFlow.
    """
    need_tensorflow("a SavedModel is written by")
    check_export(
        name_or_model,
        directory,
        version=version,
        precision=precision,
        optimize_for=optimize_for,
        calibrate=calibrate,
        coverage=coverage,
        calibration_data=calibration_data,
        text=text,
        target=target,
    )
    base = local_path(directory)
    next_version = partial(check_version, base, None)
    version_path = check_version(base, version)
    model = resolve_model(name_or_model)
    new_coverage = resolve_coverage(calibrate, coverage, calibration_data)
    if new_coverage is not None:
        user_data = None if calibration_data is None else UserData(calibration_data, text, target)
        model = calibrated_model(model, name_or_model, new_coverage, user_data)
    elif calibrate is False:
        model = without_calibration(model)
    spec = spec_of(model)
    check_same_model(base, spec.to_dict())
    served_name = server_files.served_name(base)
    served = inference_graph.inference_model(model, precision)
    base.mkdir(parents=True, exist_ok=True)
    # The temporary folder's name is no number, so TF Serving ignores it.
    with atomic_directory(version_path, next_version if version is None else None) as new:
        options = {
            "precision": precision,
            "optimize_for": optimize_for,
            "exported_from": _name_of(name_or_model),
        }
        make_sketch = partial(_write_sketch, name_or_model) if sketch else None
        signatures = _write_saved_model(model, served, spec, new.temporary, options, make_sketch)
        if spec.calibration is not None:
            extra = new.temporary / EXTRA
            extra.mkdir(exist_ok=True)
            save_calibration(spec.calibration, extra / CALIBRATION)
        if warmup:
            write_warmup(new.temporary, served_name, signatures)
    server_files.write_server_files(base, served_name, signatures)
    return new.path


def export_all(directory: str | os.PathLike[str], **options: Any) -> Iterator[Path]:
    """Export each pretrained model of the zoo into a folder of its name, for one server.

    `directory/models.config` names them all; it is rewritten.

    Args:
        directory: The folder of the folders.
        **options: Of `export`.

    Yields:
        The path of each version, when it is written.
    """
    base, names = local_path(directory), registry.list_models(pretrained=True)
    for name in track(names, f"exporting {len(names)} models"):
        yield export(name, base / name, **options)
    (base / "models.config").write_text(server_files.models_config(names), "utf-8")


def _write_saved_model(
    model: keras.Model,
    served: keras.Model,
    spec: ModelSpec,
    path: Path,
    options: Mapping[str, str],
    make_sketch: Callable[[Task, Path], None] | None,
) -> dict[str, Signature]:
    """Write `served`, and `keras_fm.json`: its origin, and how near it is to the model."""
    task: Task = spec.task
    with tempfile.TemporaryDirectory() as folder:
        signatures = task.serving.signatures(served, Path(folder))
        # The archive finds the variables itself; track(model) would store each twice (keras#23553).
        archive = keras.export.ExportArchive()
        for resource in signatures.resources:
            archive.track(resource)
        for name, signature in signatures.by_name.items():
            fn = signature.fn
            if options["optimize_for"] == "latency":
                fn = inference_graph.with_constant_weights(served, fn)
            archive.add_endpoint(name, _as_graph(fn, signature.inputs), signature.inputs)
        with left_out("tensorflow", "^Assets written to"):  # a temporary path
            archive.write_out(str(path), verbose=False)
        reference = task.serving.signatures(model, Path(folder))
        loaded = tf.saved_model.load(str(path))
        parity = export_parity(reference.by_name, loaded)
    info = {
        **spec.to_dict(),
        **options,
        "weights_sha256": weights_sha256(model),
        "signatures": list(signatures.by_name),
        "interface": {name: _interface(loaded.signatures[name]) for name in signatures.by_name},
        "parity": parity,
        "exported_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "written_by": {
            "keras_fm": keras_fm.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
    write_json(path / export_files.INFO, info)
    if make_sketch is not None:
        make_sketch(task, path)
    return signatures.by_name


def _write_sketch(name_or_model: Any, task: Task, path: Path) -> None:
    with Session(path) as session:
        write_sketch(path, task, run_files.remembered_run(name_or_model), session.run)


def _name_of(name_or_model: Any) -> str:
    """Return the name of what is exported, without the folders around a run."""
    path = run_files.run_path(name_or_model)
    if path is not None:
        return run_files.run_name(path)
    return name_or_model.name if isinstance(name_or_model, (keras.Model, Path)) else name_or_model


def _interface(signature: Any) -> dict[str, Any]:
    """Return dtype and shape of each input and output of a loaded signature."""
    sides = {
        "inputs": signature.structured_input_signature[1],
        "outputs": signature.structured_outputs,
    }
    return {
        side: {
            name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
            for name, spec in specs.items()
        }
        for side, specs in sides.items()
    }


def _as_graph(fn: Callable[..., Any], inputs: Any) -> Callable[..., Any]:
    """Return the function as a graph, which the archive, tracing it twice, then has once."""
    graph = tf.function(fn, inputs, autograph=False).get_concrete_function()

    def call(*arguments: Any) -> Any:
        return graph(*arguments)

    return call
