"""Images of a user's own: a folder with a folder for each class, or arrays of any size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_fm.data.user.arrays import read_arrays
from keras_fm.data.user.folders import read_folder
from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.data.user.source import UserData, check_source
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.formatting import choose_form, format_count, format_names
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.images import pillow
from keras_fm.preprocessing.images.folders import IMAGE_SUFFIXES
from keras_fm.preprocessing.images.inputs import check_collection
from keras_fm.preprocessing.images.loading import load_image
from keras_fm.preprocessing.images.pixels import convert_channels, crop_and_resize
from keras_fm.progress import track

_RESIZE_BATCH = 1000  # images that are resized together: some hundred megabytes of floats


def read_user_images(source: UserData) -> RawExamples:
    """Read the images of a folder with a folder for each class, or of arrays.

    Raises:
        DataError: They can't be read.
        InvalidInputError: An option of `source` is for a text or a table.
    """
    check_source(source, "images")
    path = source.path
    return (
        read_arrays(source, rank=3) if path is None else read_folder(path, IMAGE_SUFFIXES, "images")
    )


def fit_images(raw: RawExamples, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Crop and resize images of any kind and size, as `pipeline` and the exports do.

    Args:
        raw: Its inputs are images as `read_images` takes them.
        shape: Height, width and channels of the model's images.

    Returns:
        The images, uint8 `[images, height, width, channels]`; and a mask of the inputs that could
        be read.

    Raises:
        DataError: No image could be read, or the values are not 0..255.
    """
    inputs = _as_collection(raw)
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "buif":
        return _fit_array(inputs, shape, raw.description), np.ones(len(inputs), bool)
    _check_not_fractions(inputs, raw.description)

    def load(index: int, item: Any) -> np.ndarray | str:
        try:
            return _to_uint8(load_image(item, index, *shape))
        except InvalidInputError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:  # decoding releases the GIL
        loads = pool.map(load, range(len(inputs)), inputs)
        results = list(track(loads, f"reading {len(inputs):,} images", len(inputs)))
    errors = [result for result in results if isinstance(result, str)]
    loaded = [result for result in results if not isinstance(result, str)]
    if not loaded:
        raise DataError(f"{raw.description}: no image can be read: {errors[0]}")
    mask = np.array([not isinstance(result, str) for result in results])
    if errors:
        names = raw.names_of(~mask)
        raw.notes.warn(
            f"{len(errors):,} of {format_count(len(results), 'image')} can't be read and "
            f"{choose_form(len(errors), 'is', 'are')} left out: "
            f"{errors[0] if len(errors) == 1 else f'{format_names(names)}; the first: {errors[0]}'}"
        )
    return np.stack(loaded), mask


def _as_collection(raw: RawExamples) -> Any:
    """Return the inputs, tensors as an array; refuse what is no list of images."""
    if isinstance(raw.inputs, (str, bytes)):
        raise DataError(f"{raw.description}: expected images; received {type(raw.inputs).__name__}")
    try:
        check_collection(raw.inputs)
    except InvalidInputError as error:
        raise DataError(f"{raw.description}: {error}") from None
    return np.asarray(raw.inputs) if hasattr(raw.inputs, "__array__") else raw.inputs


def _fit_array(batch: np.ndarray, shape: Sequence[int], description: str) -> np.ndarray:
    if batch.shape[1:] == tuple(shape) and batch.dtype == np.uint8:
        return batch
    batch = batch[..., None] if batch.ndim == 3 else batch
    if batch.ndim == 4 and batch.shape[-1] == 4 and batch.dtype == np.uint8:
        batch = pillow.composite_on_white(batch)
    received = f"received {batch.dtype} {list(batch.shape)}"
    if batch.ndim != 4 or batch.shape[-1] not in (1, 3) or 0 in batch.shape:
        raise DataError(
            f"{description}: expected images [examples, height, width, 3, 1 or nothing]; {received}"
        )
    low, high = batch.min(), batch.max()
    if not 0 <= low <= high <= 255 or _has_fractions_only(batch):
        raise DataError(f"{description}: expected values 0..255; {received} from {low} to {high}")
    resized = [
        _to_uint8(
            crop_and_resize(convert_channels(tf.constant(chunk), shape[2]), *shape[:2]).numpy()
        )
        for chunk in np.split(batch, range(_RESIZE_BATCH, len(batch), _RESIZE_BATCH))
    ]
    return np.concatenate(resized)


def _has_fractions_only(pixels: np.ndarray) -> bool:
    """Return whether all values are 0..1: as values 0..255 they would be black."""
    return bool(pixels.dtype.kind in "bf" and pixels.max() <= 1)


def _check_not_fractions(inputs: Sequence[Any], description: str) -> None:
    arrays = [x for x in inputs if isinstance(x, np.ndarray) and x.size]
    if arrays and all(_has_fractions_only(array) for array in arrays):
        raise DataError(
            f"{description}: expected values 0..255; received {arrays[0].dtype} of at most "
            f"{max(array.max() for array in arrays)}"
        )


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return image.round().clip(0, 255).astype("uint8")
