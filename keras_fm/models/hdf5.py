"""Safe reading of HDF5 weights files from strangers.

HDF5 has links into other files, arrays that are views of other files, filters that unpack a few
bytes into gigabytes, and sizes without any data. Weights need none of it: groups hold groups and
arrays, and an array's numbers are in the file as they are. Anything else is refused before a number
is read.
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
_PLAIN_LAYOUTS = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)


class _UnsafeFileError(Exception):
    """Something in the file that weights don't need."""


def array_shapes(path: Path, member: IO[bytes] | None = None) -> Counter[tuple[int, ...]]:
    """Count the shapes of a file's arrays, without those of an optimizer.

    Args:
        path: The file.
        member: The file in the archive `path`, where it is one.

    Raises:
        WeightsError: The file can't be read, or holds anything but plain arrays.
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
    except _UnsafeFileError as error:
        raise WeightsError(f"{path} is no plain weights file: {error}") from None
    # h5py raises errors of all kinds where the C library or numpy can't read something.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path} is not a readable weights file ({size:,} bytes): {reason}"
        ) from None


def _arrays(file: h5py.File, size: int) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield each array with its path in the file."""
    # Not by `visititems`, which descends by recursion in C and has no bounds.
    pending: list[tuple[str, h5py.Group]] = [("", file)]
    addresses = {_address(file)}
    while pending:
        group_path, group = pending.pop()
        if len(group) + len(addresses) > MAX_OBJECTS:
            raise _UnsafeFileError(f"it has more than {MAX_OBJECTS:,} objects")
        for key in group:
            item_path = f"{group_path}/{key}"
            if len(item_path) > MAX_PATH_LENGTH:
                raise _UnsafeFileError(
                    f"{item_path[:50]!r}… has more than {MAX_PATH_LENGTH:,} characters"
                )
            item = _member(group, key, item_path)
            if _address(item) in addresses:
                raise _UnsafeFileError(f"{item_path!r} is there twice")
            addresses.add(_address(item))
            if isinstance(item, h5py.Dataset):
                _check_array(item, item_path, size)
                yield item_path, item
            else:
                pending.append((item_path, item))


def _member(group: h5py.Group, key: str, item_path: str) -> h5py.Group | h5py.Dataset:
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _UnsafeFileError(f"{item_path!r} is a link to another place")
    item = group[key]
    if not isinstance(item, (h5py.Group, h5py.Dataset)):
        raise _UnsafeFileError(f"{item_path!r} is neither a group nor an array")
    return item


def _check_array(array: h5py.Dataset, item_path: str, file_size: int) -> None:
    dtype, properties = array.dtype, array.id.get_create_plist()
    # Keras writes bfloat16 as two bytes without a meaning.
    if dtype.kind not in "fiub" and (dtype.kind, dtype.itemsize, dtype.names) != ("V", 2, None):
        raise _UnsafeFileError(f"{item_path!r} holds no numbers but {dtype}")
    if (
        properties.get_layout() not in _PLAIN_LAYOUTS
        or properties.get_nfilters()
        or properties.get_external_count()
    ):
        raise _UnsafeFileError(f"{item_path!r} is stored in pieces, packed, or in another file")
    if array.shape is None:
        raise _UnsafeFileError(f"{item_path!r} holds nothing")
    claimed = math.prod(array.shape) * dtype.itemsize
    stored, offset = array.id.get_storage_size(), array.id.get_offset() or 0
    if claimed != stored or stored + offset > file_size:
        raise _UnsafeFileError(
            f"{item_path!r} claims {claimed:,} bytes, which the file does not hold"
        )


def _address(item: h5py.Group | h5py.Dataset) -> int:
    return h5py.h5o.get_info(item.id).addr
