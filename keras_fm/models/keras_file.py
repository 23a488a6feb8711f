"""Check of `.keras` files from strangers: zip archives of a configuration and an HDF5 file.

Keras builds the layers that the configuration names, so the names are checked here before Keras
opens the file; Keras' safe mode refuses code in it a second time.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

from keras_fm.errors import WeightsError
from keras_fm.file_errors import missing_file, reason_of
from keras_fm.models import hdf5

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
MAX_CONFIG_BYTES = 1_000_000  # the zoo's longest has 40,000
MODEL_CLASS = "keras_fm>ZooModel"
# Layers that run code from the file, or load another model.
_UNSAFE_LAYERS = {
    "Lambda",
    "__lambda__",
    "TFSMLayer",
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
}


def check_keras_file(path: Path) -> None:
    """Refuse a `.keras` file that is not that of a model of keras_fm.

    Raises:
        WeightsError: It is cut, holds code or more than a model, or claims a size it has not.
    """
    if not path.exists():
        raise WeightsError(missing_file(path))
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
        raise WeightsError(f"{path} can't be opened as a Keras model: {reason_of(error)}") from None


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
    pending: list[Any] = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            pending += item.values()
            class_name, module = item.get("class_name"), item.get("module")
            is_registered = ">" in str(item.get("registered_name"))
            is_keras = module in (None, "keras", "builtins") or str(module).startswith("keras.")
            if class_name in _UNSAFE_LAYERS or not (is_registered or is_keras):
                raise WeightsError(
                    f"{path} asks for {module}.{class_name}, which may run code: refused"
                )
