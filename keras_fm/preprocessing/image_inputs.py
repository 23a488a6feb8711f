"""Images as a user gives them: paths, the bytes of files, or arrays.

Without TensorFlow: a client of a server wants them too, and wants to start fast.
"""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError


def read_images(inputs: Any) -> list[tuple[str, bytes | np.ndarray]]:
    """Each image with what to call it in an error: a file's bytes, or a checked array.

    Args:
        inputs: one image or several: a path, the bytes of a file, or an array
            `[rows, columns, 3 or 1 or nothing]`; a 4-dimensional array is a batch.

    Returns:
        Arrays are `[rows, columns, 3 or 1]`, 0..255, of any numeric dtype.

    Raises:
        InvalidInputError: nothing was given, a file can't be read, or an array is no image.
    """
    items = _as_list(inputs)
    if not items:
        raise InvalidInputError("expected at least one image; received an empty list")
    return [_read(item, f"image {index}") for index, item in enumerate(items)]


def to_image_files(inputs: Any) -> list[bytes]:
    """The same images as the bytes of files: arrays as PNG, rounded to whole numbers."""
    return [
        content if isinstance(content, bytes) else _png(content)
        for _, content in read_images(inputs)
    ]


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    pixels = image.round().astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()


def _as_list(inputs: Any) -> list[Any]:
    if isinstance(inputs, (str, bytes, os.PathLike)) or getattr(inputs, "ndim", 4) in (2, 3):
        return [inputs]
    if not isinstance(inputs, Iterable):
        raise InvalidInputError(
            f"expected an image or a list of them; received {type(inputs).__name__}"
        )
    return list(inputs)


def _read(item: Any, place: str) -> tuple[str, bytes | np.ndarray]:
    if isinstance(item, (str, os.PathLike)):
        place = str(item)
        try:
            item = Path(item).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            reason = getattr(error, "strerror", None) or error
            printable = place if place.isprintable() else repr(place)
            raise InvalidInputError(f"{printable} can't be read: {reason}") from None
    if isinstance(item, bytes):
        return place, item
    try:
        return place, _check_array(np.asarray(item), place)
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{place}: expected an array; received rows that differ") from None


def _check_array(image: np.ndarray, place: str) -> np.ndarray:
    expected = f"{place}: expected an array [rows, columns, 3] of numbers 0..255; received "
    if image.dtype.kind not in "uif":
        raise InvalidInputError(f"{expected}dtype {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
        raise InvalidInputError(f"{expected}shape {image.shape}")
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 255:
        raise InvalidInputError(f"{expected}values {image.min()} to {image.max()}")
    return image
