"""Loads the weights of one room, as a process of its own; imports neither Keras nor TensorFlow.

    python loader.py ROOM [NAME=NUMBER ...]

Exits with 0 after `right DIGEST`, with 3 after a sentence; anything else is a fault of the store.
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

# Small enough that a stall is noticed at once, on a server that answers at once.
IMPATIENT = {
    "CONNECT_SECONDS": 5.0,
    "READ_SECONDS": 1.0,
    "PAUSE_SECONDS": 0.01,
    "LONGEST_PAUSE_SECONDS": 1.0,
    "GRACE_SECONDS": 1.0,
    "SLOWEST": 20_000,
}


def load(folder: Path) -> str:
    """The digest of all numbers in the weights of the room, wherever they come from."""
    room = ModelPackage(folder.name, f"nowhere.{folder.name}", folder)
    source = store.find_weights(room)
    store.check_sha256(source)
    assert hdf5.array_shapes(source.path)
    return digest(source.path)


def digest(path: Path) -> str:
    """The sha256 of a file's arrays, by their values and names."""
    found = hashlib.sha256()
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update(name.encode() + item[()].tobytes())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found.hexdigest()


def configure(settings: dict[str, float]) -> None:
    """Sets times and limits of the store; `FILE_SIZE` is the kernel's limit of a file's size."""
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
