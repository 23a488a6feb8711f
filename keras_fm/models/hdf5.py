"""What an HDF5 file of weights holds, read so that a hostile one does no harm.

HDF5 knows links into other files, arrays that are views of other files, filters that unpack a few
bytes into gigabytes, and sizes that nothing stands behind. Weights need none of it: groups hold
groups and arrays, and an array's numbers lie in the file as they are. Anything else is refused
before a number is read.
"""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py

from keras_fm.errors import WeightsError

# The zoo's largest file has a hundred objects, with paths of fifty characters.
MAX_OBJECTS, MAX_PATH_LENGTH = 5_000, 1_000
_PLAIN = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)


class _NotPlain(Exception):
    """Something in the file that weights don't need."""


def array_shapes(path: Path, member: IO[bytes] | None = None) -> Counter[tuple[int, ...]]:
    """The shapes of a file's arrays, each as often as it is there, but for an optimizer's.

    Args:
        member: the file itself, where it is one in the archive `path`.

    Raises:
        WeightsError: the file can't be read, or holds anything but plain arrays.
    """
    size = path.stat().st_size
    try:
        with h5py.File(member or path) as file:
            # A compiled model writes its optimizer beside its layers.
            return Counter(
                tuple(array.shape)
                for name, array in _arrays(file, size)
                if not name.startswith("/optimizer/")
            )
    except _NotPlain as error:
        raise WeightsError(f"{path} is no plain weights file: {error}") from None
    # h5py has an error of every kind for what the C library or numpy can't make sense of.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path} is not a readable weights file ({size:,} bytes): {reason}"
        ) from None


def _arrays(file: h5py.File, size: int) -> Iterator[tuple[str, h5py.Dataset]]:
    # Not by `visititems`, which descends by recursion in C and has no bounds.
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    seen = {_address(file)}
    while waiting:
        name, group = waiting.pop()
        if len(group) + len(seen) > MAX_OBJECTS:
            raise _NotPlain(f"it has more than {MAX_OBJECTS:,} objects")
        for key in group:
            child = f"{name}/{key}"
            if len(child) > MAX_PATH_LENGTH:
                raise _NotPlain(f"{child[:50]!r}… has more than {MAX_PATH_LENGTH:,} characters")
            item = _member(group, key, child)
            if _address(item) in seen:
                raise _NotPlain(f"{child!r} is there twice")
            seen.add(_address(item))
            if isinstance(item, h5py.Dataset):
                _check_array(item, child, size)
                yield child, item
            else:
                waiting.append((child, item))


def _member(group: h5py.Group, key: str, name: str) -> h5py.Group | h5py.Dataset:
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _NotPlain(f"{name!r} is a link to another place")
    item = group[key]
    if not isinstance(item, (h5py.Group, h5py.Dataset)):
        raise _NotPlain(f"{name!r} is neither a group nor an array")
    return item


def _check_array(array: h5py.Dataset, name: str, size: int) -> None:
    kind, how = array.dtype, array.id.get_create_plist()
    # Keras writes bfloat16 as two bytes without a meaning.
    if kind.kind not in "fiub" and (kind.kind, kind.itemsize, kind.names) != ("V", 2, None):
        raise _NotPlain(f"{name!r} holds no numbers but {kind}")
    if how.get_layout() not in _PLAIN or how.get_nfilters() or how.get_external_count():
        raise _NotPlain(f"{name!r} is stored in pieces, packed, or in another file")
    if array.shape is None:
        raise _NotPlain(f"{name!r} holds nothing")
    claimed, stored = math.prod(array.shape) * kind.itemsize, array.id.get_storage_size()
    if claimed != stored or stored + (array.id.get_offset() or 0) > size:
        raise _NotPlain(f"{name!r} claims {claimed:,} bytes, which the file does not hold")


def _address(item: h5py.Group | h5py.Dataset) -> int:
    return h5py.h5o.get_info(item.id).addr
