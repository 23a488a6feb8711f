"""Images of the user's own: a folder with a folder for each class, or arrays of any size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.data.user_data import DataNotes, RawExamples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.preprocessing import images

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png"}
_AT_ONCE = 1000  # images of one array that are scaled at once: some hundred megabytes of floats


def read_folder(path: Path, suffixes: set[str] = SUFFIXES, what: str = "images") -> RawExamples:
    """The files in a folder, as paths; the folder inside it that each lies in names its class.

    Args:
        suffixes: of the files that count. what: they are, in words.

    Raises:
        DataError: there is no such folder, or no two classes in it.
    """
    if not path.is_dir():
        reason = "is a file" if path.exists() else "is not there"
        raise DataError(f"{path} {reason}; expected a folder with a folder of {what} a class")
    folders = sorted(x for x in path.iterdir() if x.is_dir() and not x.name.startswith("."))
    _refuse_splits(path, folders)
    notes, files, names = DataNotes(), list[Path](), list[str]()
    for folder in folders:
        here = sorted(x for x in folder.rglob("*") if _is_file(x) and not x.name.startswith("."))
        fitting = [x for x in here if x.suffix.lower() in suffixes]
        files += fitting
        names += [folder.name] * len(fitting)
        if len(fitting) < len(here):
            others = f"{len(here) - len(fitting):,} of {len(here):,} files in {folder}"
            notes.warn(f"{others} are no {what} ({', '.join(sorted(suffixes))}) and are left out")
        if not fitting:
            notes.warn(f"{folder} holds no {what}: it is no class")
    if len(set(names)) < 2:
        found = f"{len(files):,} {what} of {len(set(names))} class{'es' * (not names)}"
        raise DataError(
            f"{path}: expected a folder of {what} for each of two classes or more; found {found}"
        )
    origin = f"{path}: {len(files):,} {what} of {len(set(names))} classes"
    return RawExamples(files, names, origin, notes=notes)


def _is_file(path: Path) -> bool:
    """Or a link to one that is gone: reading it fails, and that is counted."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def fit_images(given: RawExamples, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Makes images of any kind and size fit, as `pipeline` and the exports do.

    Args:
        given: its inputs are arrays 0..255, paths or the bytes of files.
        shape: the model's rows, columns and channels.

    Returns:
        uint8 `[kept, rows, columns, channels]`, and which of the images could be read.

    Raises:
        DataError: none could, or their values are not 0..255.
    """
    inputs = given.inputs
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "buif":
        return _fit_array(inputs, shape, given.origin), np.ones(len(inputs), bool)
    _refuse_fractions(inputs, given.origin)

    def read(item: Any) -> np.ndarray | str:
        try:
            return _rounded(images.load_images([item], *shape)[0])
        except InvalidInputError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:  # decoding leaves Python alone
        found = list(pool.map(read, inputs))
    wrong = [each for each in found if isinstance(each, str)]
    fitted = [each for each in found if not isinstance(each, str)]
    if not fitted:
        raise DataError(f"{given.origin}: no image can be read: {wrong[0]}")
    if wrong:
        given.notes.warn(
            f"{len(wrong):,} of {len(found):,} images can't be read and are left out: {wrong[0]}"
        )
    return np.stack(fitted), np.array([not isinstance(each, str) for each in found])


def _fit_array(batch: np.ndarray, shape: Sequence[int], origin: str) -> np.ndarray:
    if batch.shape[1:] == tuple(shape) and batch.dtype == np.uint8:
        return batch
    batch = batch[..., None] if batch.ndim == 3 else batch
    received = f"received {batch.dtype} {list(batch.shape)}"
    if batch.ndim != 4 or batch.shape[-1] not in (1, 3) or 0 in batch.shape:
        raise DataError(
            f"{origin}: expected images [examples, rows, columns, 3, 1 or nothing]; {received}"
        )
    low, high = batch.min(), batch.max()
    if not 0 <= low <= high <= 255 or _are_fractions(batch):
        raise DataError(f"{origin}: expected values 0..255; {received} from {low} to {high}")
    parts = [
        _rounded(
            images.crop_and_resize(
                images.convert_channels(tf.constant(part), shape[2]), *shape[:2]
            ).numpy()
        )
        for part in np.split(batch, range(_AT_ONCE, len(batch), _AT_ONCE))
    ]
    return np.concatenate(parts)


def _are_fractions(pixels: np.ndarray) -> bool:
    """Whether they are 0..1: all black, as numbers 0..255."""
    return bool(pixels.dtype.kind in "bf" and pixels.max() <= 1)


def _refuse_fractions(inputs: Sequence[Any], origin: str) -> None:
    arrays = [each for each in inputs if isinstance(each, np.ndarray) and each.size]
    if arrays and all(_are_fractions(each) for each in arrays):
        raise DataError(
            f"{origin}: expected values 0..255; received {arrays[0].dtype} of at most "
            f"{max(each.max() for each in arrays)}"
        )


def _rounded(image: np.ndarray) -> np.ndarray:
    return image.round().clip(0, 255).astype("uint8")


def _refuse_splits(path: Path, folders: Sequence[Path]) -> None:
    """`photos/train/cat` is common too: its first folders are no classes."""
    names = {folder.name.lower() for folder in folders}
    if "train" in names and names <= {"train", "val", "valid", "validation", "test"}:
        others = sorted(names - {"train"})
        held_out = f", validation={str(path / others[-1])!r}" if others else ""
        raise DataError(
            f"{path} holds splits, not classes; name them: data={str(path / 'train')!r}{held_out}"
        )
