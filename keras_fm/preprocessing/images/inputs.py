"""Images as a user has them: paths, the bytes of files, arrays, or images of Pillow.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import io
import os
from collections.abc import Iterator, Sequence, ValuesView
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.file_errors import missing_file, unreadable_file
from keras_fm.files import local_path
from keras_fm.preprocessing.images import pillow
from keras_fm.preprocessing.images.folders import list_images
from keras_fm.store.urls import is_url, read_url, without_secrets

JPEG_SIGNATURE, PNG_SIGNATURE = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_FILE_TYPES = str, bytes, bytearray, memoryview, os.PathLike
_MAX_SHOWN = 200  # characters of a path in a message: some pass base64 as one
_IMAGE_RANKS = 2, 3
_CHANNELS = 1, 3


def read_images(inputs: Any) -> list[tuple[str, bytes | np.ndarray]]:
    """Read images as the bytes of JPEG and PNG files or as checked arrays, with names for messages.

    Args:
        inputs: One image or several: the path of a file or of a folder of them, an `http` or
            `https` address, the bytes of a file, an open file, an image of Pillow, or an array,
            tensor or nested list `[height, width, 3, 4, 1 or nothing]`; a 4-dimensional array is a
            batch.

    Returns:
        Arrays are `[height, width, 3 or 1]`, 0..255, of any numeric dtype. Files of other formats
        are among them: GIF, BMP, WebP, TIFF, and what else Pillow reads, as `pillow` decodes
        them.

    Raises:
        InvalidInputError: There is no image, a file can't be read, or an array is no image.
    """
    return [read_image(item, index) for index, item in enumerate(list_items(inputs))]


def list_items(inputs: Any) -> list[Any]:
    """List the images of `read_images` without reading them; a folder is its images, sorted.

    Raises:
        InvalidInputError: There is no image, or it is no collection of images.
    """
    items: list[Any] = []
    for item in _to_items(inputs):
        is_name = isinstance(item, (str, os.PathLike)) and not is_url(item)
        path = os.path.expanduser(os.fsdecode(item)) if is_name else ""
        items += list_images(Path(path)) if os.path.isdir(path) else [item]
    if not items:
        raise InvalidInputError("expected at least one image; received an empty list")
    return items


def read_image(item: Any, index: int) -> tuple[str, bytes | np.ndarray]:
    """Read one image of `read_images`, with its name.

    Args:
        item: The image.
        index: Among the images, for messages.
    """
    name = _name(item, index)
    content = _read_file(item, name)
    if isinstance(content, bytes):
        if content.startswith((JPEG_SIGNATURE, PNG_SIGNATURE)):
            return name, content
        content = pillow.decode_file(content, name)
    elif pillow.is_pillow_image(content):
        content = pillow.to_array(content, name)
    return name, _check_array(_to_array(content, name), name)


def to_image_files(inputs: Any) -> list[bytes]:
    """Read images as the bytes of JPEG and PNG files; others become PNG, rounded to integers.

    Args:
        inputs: As `read_images` takes them.
    """
    return [
        content if isinstance(content, bytes) else _encode_png(content)
        for _, content in read_images(inputs)
    ]


def check_image_inputs(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    """Check that the files that a user named are there, as a codec's `check`.

    Raises:
        InvalidInputError: One is not.
    """
    for index, item in enumerate(_to_items(inputs)):
        if isinstance(item, (str, os.PathLike)):
            text = os.fsdecode(item)
            if "://" not in text and not local_path(text).exists():
                raise InvalidInputError(missing_file(_name(item, index)))


def check_collection(inputs: Any) -> None:
    """Raise an `InvalidInputError` where inputs are neither an image nor a list of images."""
    is_table = hasattr(inputs, "columns") or hasattr(inputs, "column_names")
    is_array = hasattr(inputs, "__array__") and not is_table
    is_list = isinstance(inputs, (*_FILE_TYPES, Sequence, Iterator, ValuesView))
    if is_array or is_list or hasattr(inputs, "read") or pillow.is_pillow_image(inputs):
        return
    hint = "; give a column of paths, or arrays" * is_table
    raise InvalidInputError(
        "expected an image or a list of them: paths, the bytes of files, arrays or images of "
        f"Pillow; received {type(inputs).__name__}{hint}"
    )


def _to_items(inputs: Any) -> list[Any]:
    check_collection(inputs)
    is_file = isinstance(inputs, _FILE_TYPES) or hasattr(inputs, "read")
    if is_file or pillow.is_pillow_image(inputs):
        return [inputs]
    if isinstance(inputs, (list, tuple)):
        inputs = _from_nested_numbers(inputs)
    if hasattr(inputs, "__array__"):
        array = _to_array(inputs, "images")
        if array.ndim == 0:  # a path or the bytes of a file
            return [array.item()]
        return [array] if array.ndim in _IMAGE_RANKS else list(array)
    return list(inputs)


def _from_nested_numbers(inputs: Sequence[Any]) -> Any:
    """Convert lists of rows of numbers to an array; other lists are returned as they are."""
    leaf, depth = inputs, 0
    while isinstance(leaf, (list, tuple)) and leaf:
        leaf, depth = leaf[0], depth + 1
    if depth not in (*_IMAGE_RANKS, 4) or not isinstance(leaf, (int, float, np.number)):
        return inputs
    try:
        array = np.asarray(inputs)
    except ValueError:  # images of different sizes, which are converted one by one
        return inputs
    is_gray_batch = array.ndim == 3 and array.shape[-1] not in (*_CHANNELS, 4)
    return inputs if is_gray_batch or array.dtype == object else array


def _name(item: Any, index: int) -> str:
    """Return an image's name for messages: its path, or its index."""
    if not isinstance(item, (str, os.PathLike)):
        return f"image {index}"
    name = os.fsdecode(item)
    name = without_secrets(name) if is_url(item) else name
    name = name if name.isprintable() else repr(name)
    return name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}... ({len(name):,} characters)"


def _read_file(item: Any, name: str) -> Any:
    """Return the bytes of a file; what is none is returned as it is."""
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)
    if is_url(item):
        return read_url(item)
    try:
        if isinstance(item, (str, os.PathLike)):
            return local_path(os.fsdecode(item)).read_bytes()
        content = item.read() if hasattr(item, "read") else item
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} can't be read: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a closed file
        if isinstance(error, IsADirectoryError):
            raise InvalidInputError(f"{name} is a folder; give the files in it") from None
        raise InvalidInputError(unreadable_file(name, error)) from None
    if hasattr(item, "read") and not isinstance(content, bytes):
        raise InvalidInputError(f'{name}: expected a file opened in binary mode, open(path, "rb")')
    return content


def _to_array(item: Any, name: str) -> np.ndarray:
    if hasattr(item, "columns"):
        raise InvalidInputError(f"{name}: expected an image; received {type(item).__name__}")
    try:
        return np.asarray(item)
    except ValueError:
        raise InvalidInputError(
            f"{name}: expected an array; received rows of different lengths"
        ) from None
    except (TypeError, RuntimeError) as error:  # a tensor that is on a GPU or has gradients
        raise InvalidInputError(
            f"{name}: expected an array; received {type(item).__name__}: {error}"
        ) from None


def _check_array(image: np.ndarray, name: str) -> np.ndarray:
    expected = f"{name}: expected an array [height, width, 3] of numbers 0..255; received "
    if image.dtype.name.startswith("bfloat16"):  # TensorFlow's, which numpy does not know
        image = image.astype("float32")
    if image.dtype.kind not in "uif":
        raise InvalidInputError(f"{expected}dtype {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim == 3 and image.shape[-1] == 4 and image.dtype == np.uint8:
        image = pillow.composite_on_white(image)
    if image.ndim != 3 or image.shape[-1] not in _CHANNELS or 0 in image.shape:
        is_channels_first = image.ndim == 3 and image.shape[0] in _CHANNELS
        hint = "; the channels are the last axis: transpose(1, 2, 0)" * is_channels_first
        raise InvalidInputError(f"{expected}shape {image.shape}{hint}")
    low, high = image.min(), image.max()
    if not np.isfinite(image).all() or low < 0 or high > 255:
        raise InvalidInputError(f"{expected}values {low} to {high}")
    if image.dtype.kind == "f" and 0 < high <= 1:
        values = f"{image.dtype} from {float(f'{low:.3g}')} to {float(f'{high:.3g}')}"
        raise InvalidInputError(
            f"{name}: expected values 0..255; received {values}; multiply by 255"
        )
    return image


def _encode_png(image: np.ndarray) -> bytes:
    from PIL import Image

    pixels = image.round().astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()
