"""A `.keras` file from a stranger: a zip archive of a configuration and an HDF5 file.

Keras builds the layers that the configuration names, so what it may name is decided here, before
Keras opens the file; Keras' own safe mode refuses code in it a second time.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

from keras_fm.errors import WeightsError
from keras_fm.models import hdf5

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
MAX_CONFIG_BYTES = 1_000_000  # the zoo's longest has 40,000
MODEL_CLASS = "keras_fm>ZooModel"
# Layers that run what a file says, or load more from elsewhere.
_RUN_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def check_keras_file(path: Path) -> None:
    """Refuses a `.keras` file that no model of ours was saved as.

    Raises:
        WeightsError: it is cut, holds code or more than a model, or is larger than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            with archive.open("config.json") as stream:
                config = json.loads(stream.read(MAX_CONFIG_BYTES))
            _check_config(path, config)
            with archive.open("model.weights.h5") as stream:
                hdf5.array_shapes(path, stream)
    except (OSError, ValueError, RecursionError, NotImplementedError, zipfile.BadZipFile) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} can't be opened as a Keras model: {error}") from None


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = sorted(member.filename for member in members)
    if names != sorted(MEMBERS):
        raise WeightsError(
            f"{path} is not the file of a model of keras_fm: it holds {', '.join(names)[:200]}, "
            f"expected {', '.join(sorted(MEMBERS))}"
        )
    for member in members:
        # Keras packs nothing, so nothing in the archive is larger than the archive.
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise WeightsError(f"{path}: {member.filename} in it is packed, as Keras does not do")
        if member.filename.endswith(".json") and member.file_size > MAX_CONFIG_BYTES:
            raise WeightsError(
                f"{path}: {member.filename} in it has {member.file_size:,} bytes, expected at "
                f"most {MAX_CONFIG_BYTES:,}"
            )


def _check_config(path: Path, config: Any) -> None:
    if not isinstance(config, dict) or config.get("registered_name") != MODEL_CLASS:
        raise WeightsError(f"{path} is not the file of a model of keras_fm: open it with Keras")
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            kind, module = item.get("class_name"), item.get("module")
            ours = ">" in str(item.get("registered_name"))
            known = module in (None, "keras", "builtins") or str(module).startswith("keras.")
            if kind in _RUN_CODE or not (ours or known):
                raise WeightsError(f"{path} asks for {module}.{kind}, which may run code: refused")
