"""Images as a user has them: paths, the bytes of files, or arrays.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError


def read_images(inputs: Any) -> list[tuple[str, bytes | np.ndarray]]:
    """Read images as the bytes of files or checked arrays, each with its name for messages.

    Args:
        inputs: One image or several: a path, the bytes of a file, or an array
            `[height, width, 3 or 1 or nothing]`; a 4-dimensional array is a batch.

    Returns:
        Arrays are `[height, width, 3 or 1]`, 0..255, of any numeric dtype.

    Raises:
        InvalidInputError: There is no image, a file can't be read, or an array is no image.
    """
    items = _as_list(inputs)
    if not items:
        raise InvalidInputError("expected at least one image; received an empty list")
    return [_read(item, f"image {index}") for index, item in enumerate(items)]


def to_image_files(inputs: Any) -> list[bytes]:
    """Read images as the bytes of files; arrays become PNG, rounded to integers.

    Args:
        inputs: As `read_images` takes them.
    """
    return [
        content if isinstance(content, bytes) else _encode_png(content)
        for _, content in read_images(inputs)
    ]


def _encode_png(image: np.ndarray) -> bytes:
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


def _read(item: Any, name: str) -> tuple[str, bytes | np.ndarray]:
    if isinstance(item, (str, os.PathLike)):
        name = str(item)
        try:
            item = Path(item).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            reason = getattr(error, "strerror", None) or error
            printable = name if name.isprintable() else repr(name)
            raise InvalidInputError(f"{printable} can't be read: {reason}") from None
    if isinstance(item, bytes):
        return name, item
    try:
        return name, _check_array(np.asarray(item), name)
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{name}: expected an array; received rows of different lengths"
        ) from None


def _check_array(image: np.ndarray, name: str) -> np.ndarray:
    expected = f"{name}: expected an array [height, width, 3] of numbers 0..255; received "
    if image.dtype.kind not in "uif":
        raise InvalidInputError(f"{expected}dtype {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
        raise InvalidInputError(f"{expected}shape {image.shape}")
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 255:
        raise InvalidInputError(f"{expected}values {image.min()} to {image.max()}")
    return image
