"""Loads the weights of a model, as a process of its own; imports neither Keras nor TensorFlow.

    python loader.py PACKAGE [NAME=NUMBER ...]

Exits with 0 after `correct DIGEST`, with 3 after a sentence; anything else is a fault of the store.
"""

import hashlib
import resource
import sys
from pathlib import Path

import h5py

from keras_fm import store
from keras_fm.errors import KerasFmError
from keras_fm.models import hdf5
from keras_fm.registry import ModelPackage
from keras_fm.store import downloads, transports

# Short times, to notice a stall at once; the server responds at once.
IMPATIENT = {
    "CONNECT_TIMEOUT": 5.0,
    "READ_TIMEOUT": 1.0,
    "BACKOFF_SECONDS": 0.01,
    "MAX_BACKOFF_SECONDS": 1.0,
    "GRACE_SECONDS": 1.0,
    "MIN_BYTES_PER_SECOND": 20_000,
}


def load(folder: Path) -> str:
    """Return the digest of all numbers in the model's weights, wherever they come from."""
    package = ModelPackage(folder.name, f"nowhere.{folder.name}", folder)
    file = store.find_weights(package)
    store.check_sha256(file)
    assert hdf5.array_shapes(file.path)
    return digest(file.path)


def digest(path: Path) -> str:
    """Return the sha256 of a file's arrays, by their values and names."""
    result = hashlib.sha256()
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                result.update(name.encode() + item[()].tobytes())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return result.hexdigest()


def configure(settings: dict[str, float]) -> None:
    """Set times and limits of the store; `FILE_SIZE` is the kernel's limit of a file's size."""
    settings = dict(settings)
    if size := settings.pop("FILE_SIZE", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    for name, value in settings.items():
        module = transports if hasattr(transports, name) else downloads
        assert hasattr(module, name), name
        setattr(module, name, value)


def main() -> int:
    """Run the command."""
    folder, *settings = sys.argv[1:]
    pairs = [text.split("=") for text in settings]
    configure({name: float(value) for name, value in pairs})
    try:
        print("correct", load(Path(folder)))
    except KerasFmError as error:
        print(error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
