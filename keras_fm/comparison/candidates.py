"""What is compared: a model or an export, and its outputs for examples."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm import registry
from keras_fm.comparison.arguments import info_of
from keras_fm.data.examples import Examples, take_rows
from keras_fm.exporting.local_server import LocalServer
from keras_fm.models import export_files, run_files
from keras_fm.models.loading import resolve_model
from keras_fm.models.lookup import find_export
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.progress import track
from keras_fm.registry.tasks import task_module
from keras_fm.tasks.base import PREDICT_BATCH_SIZE, Task


@dataclass(frozen=True)
class Candidate:
    """A model or an export.

    Attributes:
        name: As the user wrote it.
        spec: Its specification.
        model: The Keras model; None of an export.
        run: The run directory that it is from; None where it is from none.
        version: The folder of the SavedModel; None of a model.
    """

    name: str
    spec: ModelSpec
    model: Any = None
    run: Path | None = None
    version: Path | None = None

    @property
    def task(self) -> Task:
        """The task of its specification."""
        return self.spec.task

    def outputs(self, examples: Examples) -> np.ndarray:
        """Return the outputs for examples: logits `[examples, classes]`, or values `[examples]`.

        Raises:
            KerasFmError: TensorFlow can't load or run the export.
        """
        if self.version is None:
            return self.task.predictor.predict_examples(self.model, examples)
        server = LocalServer(self.version)
        codec = task_module(self.spec.task_name, "codec").CODEC
        signature = server.signatures[codec.signature]
        output = "value" if "value" in codec.outputs else "logits"
        batches = []
        starts = range(0, len(examples), PREDICT_BATCH_SIZE)
        for start in track(starts, f"predictions of {self.name}"):
            rows = take_rows(examples.inputs, slice(start, start + PREDICT_BATCH_SIZE))
            batches.append(server.call(codec.signature, codec.encode(signature, rows))[output])
        return np.concatenate(batches)


def open_candidate(name_or_model: str | os.PathLike[str] | keras.Model) -> Candidate:
    """Return what a user compares.

    Raises:
        KerasFmError: There is no such model, run or export.
    """
    path = None if isinstance(name_or_model, keras.Model) else find_export(name_or_model)
    if path is not None:
        info: Any = info_of(path)
        package, _ = registry.find(info["model"])
        spec = ModelSpec.from_dict(package, info)
        return Candidate(str(name_or_model), spec, version=export_files.find_version(path))
    model = resolve_model(name_or_model)
    name = str(model.name) if isinstance(name_or_model, keras.Model) else str(name_or_model)
    return Candidate(name, spec_of(model), model, run_files.run_path(name_or_model))
