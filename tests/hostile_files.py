"""Weights files that somebody made to do harm. Each begins as a good one of `tiny_net`.

    python hostile_files.py check FILE [FILE ...]

reads each as keras_fm does, in little memory and time; `read` does it as h5py does.
"""

import json
import random
import resource
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

VICTIM = "layers/dense/vars/0"  # a kernel that a hostile thing takes the place of


def _replaced(file: h5py.File) -> tuple[tuple[int, ...], np.ndarray]:
    values = file[VICTIM][()]
    del file[VICTIM]
    return values.shape, values


def external_link(file: h5py.File) -> None:
    _, values = _replaced(file)
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as target:
        target["secret"] = values
    file[VICTIM] = h5py.ExternalLink(str(other), "secret")


def soft_link(file: h5py.File) -> None:
    _, file["elsewhere"] = _replaced(file)
    file[VICTIM] = h5py.SoftLink("/elsewhere")


def soft_link_loop(file: h5py.File) -> None:
    _replaced(file)
    file[VICTIM] = h5py.SoftLink(f"/{VICTIM}")


def group_in_itself(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


def array_twice(file: h5py.File) -> None:
    file["layers/dense/vars/again"] = file[VICTIM]


def array_in_another_file(file: h5py.File) -> None:
    shape, values = _replaced(file)
    other = Path(file.filename).with_name("secret.bin")
    other.write_bytes(values.tobytes())
    file.create_dataset(VICTIM, shape, "f4", external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def array_of_other_files(file: h5py.File) -> None:
    shape, values = _replaced(file)
    other = Path(file.filename).with_name("source.h5")
    with h5py.File(other, "w") as target:
        target["secret"] = values
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(other), "secret", shape)
    file.create_virtual_dataset(VICTIM, layout)


def terabytes_in_pieces(file: h5py.File) -> None:
    _replaced(file)
    file.create_dataset(VICTIM, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


def terabytes_in_one_piece(file: h5py.File) -> None:
    _replaced(file)
    file.create_dataset(VICTIM, (1 << 20, 1 << 20), "f4")


def more_than_a_number_can_say(file: h5py.File) -> None:
    _replaced(file)
    file.create_dataset(VICTIM, (1 << 40, 1 << 40), "f4", chunks=(1, 1))


def nothing_written(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    file.create_dataset(VICTIM, shape, "f4")


def packed(file: h5py.File) -> None:
    _, values = _replaced(file)
    file.create_dataset(VICTIM, data=values, compression="gzip")


def packed_bomb(file: h5py.File) -> None:
    """The shape is right, but the one piece of it unpacks into 256 MB."""
    shape, _ = _replaced(file)
    piece, packer = (shape[0], (256 << 20) // 4 // shape[0]), zlib.compressobj(1)
    bomb = file.create_dataset(VICTIM, shape, "f4", chunks=piece, maxshape=(None, None),
                               compression="gzip")  # fmt: skip
    zeros = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    bomb.id.write_direct_chunk((0, 0), zeros)


def references(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    array = file.create_dataset(VICTIM, shape, h5py.ref_dtype)
    array[...] = file["layers"].ref


def strings(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    file.create_dataset(VICTIM, shape, h5py.string_dtype(), data=np.full(shape, "1", object))


def compound(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    file.create_dataset(VICTIM, data=np.zeros(shape, [("a", "f4"), ("b", "f4")]))


def complex_numbers(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    file.create_dataset(VICTIM, data=np.zeros(shape, "c8"))


def no_space(file: h5py.File) -> None:
    _replaced(file)
    file.create_dataset(VICTIM, data=h5py.Empty("f4"))


def a_type_for_an_array(file: h5py.File) -> None:
    _replaced(file)
    file[VICTIM] = np.dtype("f4")


def a_group_for_an_array(file: h5py.File) -> None:
    _, values = _replaced(file)
    file.create_group(VICTIM)["0"] = values


def an_array_for_a_group(file: h5py.File) -> None:
    values = file["layers/dense/vars/0"][()]
    del file["layers/dense/vars"]
    file["layers/dense/vars"] = values


def wrong_shape(file: h5py.File) -> None:
    shape, _ = _replaced(file)
    file[VICTIM] = np.zeros((*shape, 1), "f4")


def turned(file: h5py.File) -> None:
    _, values = _replaced(file)
    file[VICTIM] = values.T.copy()


def arrays_in_the_wrong_places(file: h5py.File) -> None:
    """All shapes are there, in each other's places."""
    first, second = file["layers/dense/vars/0"][()], file["layers/conv2d/vars/0"][()]
    del file["layers/dense/vars/0"], file["layers/conv2d/vars/0"]
    file["layers/dense/vars/0"], file["layers/conv2d/vars/0"] = second, first


def one_more(file: h5py.File) -> None:
    file["layers/dense/vars/7"] = np.zeros(3, "f4")


def one_less(file: h5py.File) -> None:
    _replaced(file)


def too_many_groups(file: h5py.File) -> None:
    for number in range(5_001):
        file.create_group(f"more/{number}")


def too_deep(file: h5py.File) -> None:
    """So deep that a walk by recursion in C ends in a crash."""
    group = file.create_group("more")
    for _ in range(3_000):
        group = group.create_group("a")


def a_name_too_long(file: h5py.File) -> None:
    file.create_group("a" * 60_000)


BUILDERS: list[Callable[[h5py.File], None]] = [
    external_link, soft_link, soft_link_loop, group_in_itself, array_twice, array_in_another_file,
    array_of_other_files, terabytes_in_pieces, terabytes_in_one_piece, more_than_a_number_can_say,
    nothing_written, packed, packed_bomb, references, strings, compound, complex_numbers, no_space,
    a_type_for_an_array, a_group_for_an_array, an_array_for_a_group, wrong_shape, turned,
    arrays_in_the_wrong_places, one_more, one_less, too_many_groups, too_deep, a_name_too_long,
]  # fmt: skip


def build(builder: Callable[[h5py.File], None], good: Path, folder: Path) -> Path:
    """A hostile copy of the file `good`."""
    path = folder / f"{builder.__name__}.weights.h5"
    path.write_bytes(good.read_bytes())
    with h5py.File(path, "a", libver="latest") as file:
        builder(file)
    return path


def scrambled(good: bytes, seed: int) -> bytes:
    """The file with some bytes changed, cut out or doubled."""
    rng = random.Random(seed)
    raw = bytearray(good)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        at, length = rng.randrange(len(raw)), rng.choice([1, 1, 2, 4, 8, 200])
        how = rng.randrange(4)
        if how == 0:
            raw[at : at + length] = rng.randbytes(length)
        elif how == 1:
            raw[at : at + length] = rng.choice([b"\xff", b"\0", b"\x7f"]) * length
        elif how == 2:
            del raw[at : at + length]
        else:
            raw[at:at] = raw[at : at + length]
    return bytes(raw)


def main() -> None:
    how, *files = sys.argv[1:]
    import keras_fm.models.hdf5
    from keras_fm.errors import KerasFmError

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (150 << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    results, initial_peak = {}, peak()
    for name in files:
        try:
            if how == "check":
                results[name] = len(keras_fm.models.hdf5.array_shapes(Path(name)))
            else:
                with h5py.File(name) as file:
                    results[name] = file[VICTIM][()].shape
        except KerasFmError as error:
            results[name] = str(error)
        except (MemoryError, OSError):  # HDF5 only says that unpacking failed
            results[name] = "no memory left"
    print(json.dumps({"results": results, "megabytes": peak() - initial_peak}))


if __name__ == "__main__":
    main()
