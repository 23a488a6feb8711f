"""Loads the weights of one model package in its own process, without Keras and TensorFlow.

    python loader.py FOLDER [NAME=NUMBER ...]

Exits with 0 after `right DIGEST`, with 3 after an error message; else the store is at fault.
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

# Small enough that a stall is noticed at once, on a server that responds at once.
SHORT_TIMEOUTS = {
    "CONNECT_TIMEOUT": 5.0,
    "READ_TIMEOUT": 1.0,
    "BACKOFF_SECONDS": 0.01,
    "MAX_BACKOFF_SECONDS": 1.0,
    "GRACE_SECONDS": 1.0,
    "MIN_BYTES_PER_SECOND": 20_000,
}


def load(folder: Path) -> str:
    """The digest of all arrays in the weights of the package, wherever they come from."""
    package = ModelPackage(folder.name, f"nowhere.{folder.name}", folder)
    file = store.find_weights(package)
    store.check_sha256(file)
    assert hdf5.array_shapes(file.path)
    return digest(file.path)


def digest(path: Path) -> str:
    """The sha256 of a file's arrays, by their values and names."""
    sha256 = hashlib.sha256()
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                sha256.update(name.encode() + item[()].tobytes())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return sha256.hexdigest()


def configure(settings: dict[str, float]) -> None:
    """Sets timeouts and limits of the store; `FILE_SIZE` is the kernel's limit of a file."""
    settings = dict(settings)
    if size := settings.pop("FILE_SIZE", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    for name, value in settings.items():
        module = transports if hasattr(transports, name) else downloads
        assert hasattr(module, name), name
        setattr(module, name, value)


def main() -> int:
    folder, *settings = sys.argv[1:]
    pairs = [text.split("=") for text in settings]
    configure({name: float(value) for name, value in pairs})
    try:
        print("right", load(Path(folder)))
    except KerasFmError as error:
        print(error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
